# frozen_string_literal: true

require "optparse"
require_relative "app_loader"
require_relative "configuration"
require_relative "failure"
require_relative "restart"
require_relative "server"

module HyperionRs
  # The `hyperion-rs` command.
  class CLI
    HELP_WIDTH = 84
    private_constant :HELP_WIDTH

    def initialize(argv, env: ENV, output: $stdout, errors: $stderr)
      @argv = argv.dup
      @env = env
      @output = output
      @errors = errors
      @layer = Configuration::Layer.new
      @action = :serve
    end

    # Answers the exit status.
    def run
      parse
      case @action
      when :help then @output.puts parser
      when :version then @output.puts version
      else serve
      end
      0
    rescue Error => e
      Failure.report(e, debug: debug?, output: @errors)
      1
    rescue Interrupt
      # While the app is loaded: the same end, without the backtrace that Ruby prints for this class.
      raise SignalException, "INT"
    end

    private

    def serve
      configuration = Configuration.new(@layer, env: @env)
      @debug = configuration.debug
      export_environment(configuration.environment)
      app = AppLoader.load(configuration.rackup)
      Restart.run(Server.new(app, configuration, output: @output))
    end

    # The app reads its environment there; a RAILS_ENV that says something else would win over RACK_ENV in Rails.
    def export_environment(name)
      @env["RACK_ENV"] = name
      @env["RAILS_ENV"] = name if @env.key?("RAILS_ENV")
    end

    # The flag counts even where the configuration is what failed.
    def debug?
      @debug || @layer[:debug]&.value
    end

    def parse
      files = parser.permute(@argv)
      raise ConfigurationError, "unexpected argument #{files[1]}; one config.ru is served" if files.size > 1

      @layer.set(:rackup, files.first, "the command line") if files.any?
    rescue OptionParser::InvalidOption, OptionParser::AmbiguousOption => e
      raise Configuration::Layer.unknown(e.args.first, "the command line", flags, prefix: "--")
    rescue OptionParser::MissingArgument => e
      raise ConfigurationError, "#{e.args.first} needs a value; see hyperion-rs --help"
    rescue OptionParser::ParseError => e
      raise ConfigurationError, e.message
    end

    def flags
      Configuration::OPTIONS.flat_map do |option|
        option.type.boolean? ? [option.flag, option.flag.sub("--", "--no-")] : [option.flag]
      end
    end

    def version
      require "rack/version"
      "hyperion-rs #{VERSION} (Ruby #{RUBY_VERSION}, Rack #{Rack.release})"
    end

    def parser
      @parser ||= OptionParser.new("Usage: hyperion-rs [options] [config.ru]", 34) do |parser|
        Configuration::OPTIONS.group_by(&:group).each do |group, options|
          parser.separator "\n#{group}:"
          options.each { |option| define(parser, option) }
        end
        parser.separator "\nHelp:"
        parser.on("-h", "--help", "this text") { @action = :help }
        parser.on("-v", "--version", "the version") { @action = :version }
        parser.separator "\nEvery option is also an environment variable (HYPERION_RS_HEADER_TIMEOUT=5s) and a line of"
        parser.separator "the config file (header_timeout 5)."
      end
    end

    def define(parser, option)
      switch = option.type.boolean? ? option.flag.sub("--", "--[no-]") : "#{option.flag} #{option.type.placeholder}"
      parser.on(*("-#{option.short}" if option.short), switch, *describe(option)) do |value|
        @layer.set(option.name, value, option.flag)
      end
    end

    # Lines that fit beside the flags on a wide terminal.
    def describe(option)
      default = "(default: #{option.default_text})"
      line = "#{option.help} #{default}"
      line.size <= HELP_WIDTH ? [line] : [option.help, default]
    end
  end
end
