# frozen_string_literal: true

require "io/wait"

module HyperionRs
  class Http2Handler
    # Brings one connection to the Rust side, by the descriptor of its socket.
    class Transport
      # Seconds to wait for other threads that write to the log or count, and between two looks.
      SETTLING = 1.0
      PERIOD = 0.0005

      private_constant :SETTLING, :PERIOD

      # `outer` is what is closed at the end: the outermost of the objects around the socket.
      def initialize(io, logger, outer: io)
        @io = io
        @logger = logger
        @outer = outer
      end

      # Serves the connection until it is over, and closes the socket.
      def serve(native)
        connection = taken { begin_serving(native) }
        begin
          run(connection) if connection
        ensure
          settle(connection) if connection
          finish
        end
      end

      private

      def begin_serving(native)
        native.open(@io.fileno)
      end

      # What fails here, other than by misuse, is no fault of the caller's, but costs the connection.
      def taken
        yield
      rescue ArgumentError
        raise
      rescue StandardError => e
        @logger.error do
          { message: "h2 connection error", error: e.message, error_class: e.class.name,
            backtrace: e.backtrace.first(10).join(" | ") }
        end
        nil
      end

      def run(connection)
        wait(connection)
      end

      # Ends the connection. What it has counted and logged is told when this returns, unless another thread takes long
      # to do so.
      def settle(connection)
        turn = connection.close
        deadline = now + SETTLING
        sleep(PERIOD) until connection.settled?(turn) || now > deadline
      end

      def now
        Process.clock_gettime(Process::CLOCK_MONOTONIC)
      end

      # A fiber of a scheduler waits for a descriptor, which lets others run; a thread for the connection itself.
      def wait(connection)
        return connection.wait unless Fiber.current_scheduler

        descriptor = connection.bell
        return unless descriptor

        bell = IO.for_fd(descriptor)
        begin
          bell.wait_readable
        ensure
          bell.close
        end
      end

      def finish
        quietly { @outer.close unless Sockets.closed?(@outer) }
      end

      # For what a peer that has gone makes fail.
      def quietly
        yield
      rescue IOError, SystemCallError, *Sockets.tls_errors => e
        @logger.debug { { message: "h2 socket failed", error: e.message, error_class: e.class.name } }
        nil
      end
    end
  end
end
