# frozen_string_literal: true

require "socket"
require_relative "transport"

module HyperionRs
  class Http2Handler
    # Brings one connection to the Rust side by passing its bytes on, for sockets whose TLS is Ruby's, or that have no
    # descriptor. The thread or fiber that serves takes what goes out; another one takes what comes in.
    class Pump < Transport
      # Bytes passed on at once: four records of TLS.
      CHUNK = 64 * 1024
      # Seconds for a client to take a part of what it is sent, as the Rust side sees no further than this process.
      PATIENCE = 30

      private_constant :CHUNK, :PATIENCE

      def initialize(socket, logger, outer: socket)
        super
        @raw = Sockets.tls?(socket) ? socket.to_io : nil
        @inward_ended = Thread::Queue.new
      end

      private

      def begin_serving(native)
        @near, far = UNIXSocket.pair
        begin
          native.open_behind(far.fileno, @raw&.fileno, tls)
        ensure
          far.close
        end
      end

      # Version and server name, as the env shows them.
      def tls
        [@io.ssl_version, @io.hostname] if Sockets.tls?(@io)
      end

      def run(connection)
        @inward = spawn { inward }
        quietly { outward }
        # What nobody passes on is not waited for.
        @near.shutdown(Socket::SHUT_RD)
        wait(connection)
      end

      def finish
        # Whoever reads hears of the end before the descriptor is gone: a fiber that waits for a closed one waits for
        # ever.
        quietly { hang_up }
        @near&.close_write
        end_inward if @inward
        @near&.close
        super
        @raw&.close
      end

      def hang_up
        @raw&.shutdown
      rescue Errno::ENOTCONN
        nil # The client was first.
      end

      # What has no descriptor cannot be told, and is left.
      def end_inward
        return @inward_ended.pop if @raw

        @inward.kill if @inward.is_a?(Thread)
      end

      # A thread of its own, or under a scheduler a fiber.
      def spawn(&block)
        return Fiber.schedule(&block) if Fiber.current_scheduler

        Thread.new(&block).tap { |thread| thread.report_on_exception = false }
      end

      def inward
        quietly { pass_on }
        quietly { @near.close_write unless @near.closed? }
      ensure
        @inward_ended << true
      end

      # Until the client has said all.
      def pass_on
        loop { @near.write(@io.readpartial(CHUNK)) }
      rescue EOFError
        nil # That is the end.
      end

      # Until the Rust side has said all.
      def outward
        loop { write(@near.readpartial(CHUNK)) }
      rescue EOFError
        say_goodbye
      end

      def write(bytes)
        return @io.write(bytes) unless @raw

        until bytes.empty?
          case (written = @io.write_nonblock(bytes, exception: false))
          when Integer then bytes = bytes.byteslice(written..)
          when :wait_writable then await(@raw.wait_writable(PATIENCE))
          else await(@raw.wait_readable(PATIENCE))
          end
        end
      end

      def await(ready)
        raise IOError, "the client took nothing for #{PATIENCE} s" unless ready
      end

      # Tells the client that nothing is missing (RFC 8446, section 6.1), and goes on listening to it.
      def say_goodbye
        return unless @raw

        @io.sync_close = false
        @io.sysclose
        @raw.close_write
      end
    end
  end
end
