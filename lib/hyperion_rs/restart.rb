# frozen_string_literal: true

require_relative "configuration"
require_relative "pidfile"
require_relative "program"
require_relative "restart_file"

module HyperionRs
  # Runs a server that may be told to restart, by SIGUSR2 or by its restart file: it drains, and then the program begins
  # anew in the same process with the same listening sockets. Who connects meanwhile waits, and is not refused.
  class Restart
    SIGNAL = "USR2"
    DESCRIPTORS = Configuration::OPTIONS[:listen_fds].env_name

    private_constant :SIGNAL, :DESCRIPTORS

    # Runs the server to its end. `pidfile` is one that rackup or Rails has written. For the main thread: another one
    # cannot speak for the process.
    def self.run(server, pidfile: nil, program: Program.known? ? PROGRAM : nil)
      return server.run unless program

      new(server, pidfile, program).run
    end

    def initialize(server, pidfile, program)
      @server = server
      @pidfile = pidfile
      @program = program
    end

    def run
      trapped { watched { @server.run } }
      replace if @server.restarting?
    end

    private

    def trapped
      # A Logger takes a lock, which a trap handler may not.
      previous = Signal.trap(SIGNAL) { Thread.new { restart("SIG#{SIGNAL}") } }
      yield
    ensure
      Signal.trap(SIGNAL, previous || "DEFAULT")
    end

    def watched(&)
      return yield unless @server.configuration.tmp_restart

      RestartFile.watch(-> { restart(RestartFile::PATH) }, &)
    end

    def restart(reason)
      @server.logger.info("restart (#{reason}): finishing requests in flight")
      @server.restart
    end

    def replace
      # Who wrote it removes it at the exit of the process, which does not come.
      Pidfile.remove_own(@pidfile)
      listeners = @server.listeners
      @program.exec({ DESCRIPTORS => listeners.join(",") }, listeners)
    rescue SystemCallError => e
      raise RestartError, "cannot restart #{@program.command.join(' ')}: #{e.message}"
    end

    PROGRAM = (Program.new(ENV) if Program.known?)
    private_constant :PROGRAM
  end
end
