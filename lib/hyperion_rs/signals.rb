# frozen_string_literal: true

module HyperionRs
  # INT and TERM while a server runs: the first drains it, a second one ends the process at once, by that signal, so
  # that its parent sees why. The same signal twice within ECHO is taken for one: process managers send it to the
  # process and to its group. USR1 reopens the access log.
  class Signals
    NAMES = %w[INT TERM].freeze
    REOPEN = "USR1"
    # Seconds.
    ECHO = 0.5

    First = Struct.new(:name, :at)
    private_constant :First

    # Runs the block with the traps set; the previous ones are restored after it.
    def self.handle(server, &block)
      new(server).handle(&block)
    end

    def initialize(server)
      @server = server
      @first = nil
    end

    def handle
      previous = NAMES.to_h { |name| [name, Signal.trap(name) { receive(name) }] }
      previous[REOPEN] = Signal.trap(REOPEN) { @server.reopen_logs }
      yield
    ensure
      # A handler that Ruby did not install reads as nil and cannot be put back.
      previous&.each { |name, handler| Signal.trap(name, handler || "DEFAULT") }
      @report&.join
    end

    private

    def receive(name)
      now = Process.clock_gettime(Process::CLOCK_MONOTONIC)
      if @first
        raise SignalException, name unless @first.name == name && now - @first.at < ECHO

        return
      end
      @first = First.new(name, now)
      @server.shutdown
      # A Logger takes a lock, which a trap handler may not.
      @report = Thread.new { @server.logger.info("SIG#{name}: finishing requests in flight; again to drop them") }
    end
  end
end
