# frozen_string_literal: true

require "json"
require_relative "child_process"

# Programs of Node that drive Chromium by playwright-core.
module Browser
  INSTALL = File.join(__dir__, "node/install")
  # npm downloads it.
  INSTALL_WITHIN = 300

  # The browser, which only CI is sure to have: `bin/setup --dev` installs it.
  def self.chromium
    @chromium ||= %w[chromium chromium-browser google-chrome].filter_map { |name| which(name) }.first
  end

  def self.which(name)
    ENV.fetch("PATH").split(":").map { |directory| File.join(directory, name) }.find { |path| File.executable?(path) }
  end

  # Where Node finds the packages: bin/matrix, whose system has no npm, brings them.
  def self.packages
    @packages ||= ENV["NODE_PATH"] || installed
  end

  def self.installed
    result = ChildProcess.run(INSTALL, within: INSTALL_WITHIN)
    raise ChildProcess::Failed, "#{INSTALL}: #{result.err}" unless result.status.success?

    result.out.chomp
  end

  private_class_method :which, :installed

  # Runs a program, which is told the browser's path and the options, and answers the JSON that it prints.
  def drive(program, within: 180, **options)
    arguments = JSON.generate(chromium: Browser.chromium, **options)
    result = ChildProcess.run("node", program, arguments, env: { "NODE_PATH" => Browser.packages }, within:)
    raise ChildProcess::Failed, "#{program}: #{result.err}#{result.out}" unless result.status.success?

    JSON.parse(result.out, symbolize_names: true)
  end
end
