# frozen_string_literal: true

module HyperionRs
  # What a callable body gets (Rack SPEC, "Streaming Body"): reads the request, writes the response. It stays open after
  # the body's `call` has returned, until it is closed, and may be used from any thread. A stream that is forgotten
  # without being closed fails its response.
  class Stream
    def initialize(writer, input)
      @writer = writer
      @input = input
    end

    # As IO#read, from the request body.
    def read(...) = @input.read(...)

    # As IO#readpartial, from the request body.
    def readpartial(...) = @input.readpartial(...)

    # Sends bytes now; answers their number. Waits, without the GVL, only when memory and temporary file are full.
    # Raises ClientDisconnected when nobody reads any more.
    def write(*chunks)
      chunks.sum { |chunk| @writer.write(chunk.is_a?(String) ? chunk : chunk.to_s) }
    end

    # As #write, and answers the stream.
    def <<(chunk)
      write(chunk)
      self
    end

    # Sends bytes if there is room; else raises IO::EAGAINWaitWritable, or answers :wait_writable.
    def write_nonblock(chunk, exception: true)
      written = @writer.write_nonblock(chunk)
      return written if written
      return :wait_writable unless exception

      raise IO::EAGAINWaitWritable, "the response buffer is full"
    end

    # What was written is on its way already.
    def flush = self

    # Ends the response, and reads no further.
    def close(error = nil)
      close_read
      error ? @writer.abort : close_write
      nil
    end

    # Reads no further; what the client still sends is thrown away.
    def close_read
      @input.close unless @input.closed?
      nil
    end

    # Ends the response.
    def close_write
      @writer.finish(nil)
      nil
    end

    # Whether the response is over: it was closed here, or the client is gone.
    def closed? = @writer.closed?
  end
end
