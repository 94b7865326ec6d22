# frozen_string_literal: true

module HyperionRs
  # INT and TERM while a server runs: the first drains it, a second one ends the process at once, by that signal, so
  # that its parent sees why.
  class Signals
    NAMES = %w[INT TERM].freeze

    # Runs the block with the traps set; the previous ones are restored after it.
    def self.handle(server, &block)
      new(server).handle(&block)
    end

    def initialize(server)
      @server = server
      @draining = false
    end

    def handle
      previous = NAMES.to_h { |name| [name, Signal.trap(name) { receive(name) }] }
      yield
    ensure
      # A handler that Ruby did not install reads as nil and cannot be put back.
      previous&.each { |name, handler| Signal.trap(name, handler || "DEFAULT") }
      @report&.join
    end

    private

    def receive(name)
      raise SignalException, name if @draining

      @draining = true
      @server.shutdown
      # A Logger takes a lock, which a trap handler may not.
      @report = Thread.new { @server.logger.info("SIG#{name}: finishing requests in flight; again to drop them") }
    end
  end
end
