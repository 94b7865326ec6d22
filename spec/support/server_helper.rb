# frozen_string_literal: true

require "pathname"
require_relative "server_process"

# Servers that end with their example, and the files they need.
module ServerHelper
  HELLO = <<~RACKUP
    run ->(env) { [200, { "content-type" => "text/plain" }, ["hello over \#{env["SERVER_PROTOCOL"]}\\n"]] }
  RACKUP
  DEMO = File.join(ServerProcess::ROOT, "examples/demo.ru")

  def self.data_home
    @data_home ||= Dir.mktmpdir("hyperion-rs-spec").tap { |path| at_exit { FileUtils.rm_rf(path) } }
  end

  def self.included(example_group)
    example_group.after { @processes&.each(&:kill) }
  end

  # Serves `app`, the text of a config.ru or the Pathname of one; the demo without it. See ServerProcess.start.
  def start_server(app: Pathname(DEMO), tls: false, options: {}, env: {}, **process)
    file = app.is_a?(Pathname) ? app.to_s : write_file("config.ru", app)
    options = { tls: "dev", **options } if tls
    process = { directory: temporary_directory, env: { **server_env, **env }, **process }
    track(ServerProcess.start(file, options:, **process))
  end

  # Runs a server that is expected not to start: the ChildProcess::Result.
  def run_server(*arguments, via: :command, env: {}, file: write_file("config.ru", HELLO), within: 60)
    command = ServerProcess.command_line(file, via:, arguments:)
    ChildProcess.run(*command, directory: temporary_directory, env: { **server_env, **env }, within:)
  end

  # The development certificate is made once for all examples.
  def server_env
    { "XDG_DATA_HOME" => ServerHelper.data_home }
  end

  private

  def track(process)
    (@processes ||= []) << process
    process
  end
end
