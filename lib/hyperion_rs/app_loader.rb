# frozen_string_literal: true

require "rbconfig"
require_relative "errors"

module HyperionRs
  # Loads an app from a config.ru.
  class AppLoader
    # Frames of Ruby's and the gems' own code: the mistake is where the app called them.
    FOREIGN = [RbConfig::CONFIG["rubylibdir"], RbConfig::CONFIG["vendordir"], "<internal:", "#{__dir__}/",
               *Gem.path.map { |path| "#{path}/" }, *Gem.default_path.map { |path| "#{path}/" }].freeze

    private_constant :FOREIGN

    # The Rack app that the file at `path` makes. Raises AppLoadError, in one line that names the place.
    def self.load(path)
      new(path).load
    end

    def initialize(path)
      @path = path
    end

    def load
      raise AppLoadError, "no such file: #{@path}" unless File.file?(@path)

      require_rack
      # Rack 2 answers the app and the options of a `#\` line, Rack 3 the app.
      app, = Rack::Builder.parse_file(@path)
      app
    rescue StandardError, ScriptError, SystemStackError => e
      raise if e.is_a?(Error)

      raise AppLoadError, "cannot load #{@path}: #{describe(e)}"
    end

    private

    def require_rack
      require "rack"
    rescue LoadError => e
      raise AppLoadError, "cannot load Rack: #{e.message}"
    end

    # A SyntaxError of the parser says its place itself.
    def describe(error)
      summary = error.message.lines.map(&:strip).find { |line| !line.empty? } || error.class.name
      return summary if error.is_a?(SyntaxError) && summary.match?(/\A\S+:\d+:/)

      [place(error), "#{summary} (#{error.class})"].compact.join(": ")
    end

    def place(error)
      frames = error.backtrace || []
      frame = frames.find { |line| !line.start_with?(*FOREIGN) } || frames.first
      frame && frame[/\A.+?:\d+/]
    end
  end
end
