# frozen_string_literal: true

module HyperionRs
  # The `rack.input` of a request whose body is read while it arrives. What is not read stays with the client: flow
  # control holds it back. Reads wait without the GVL and raise ClientDisconnected when the client goes away. Threads
  # that share it take turns: the Rust side wakes one reader.
  class StreamingInput
    # The trailers of the request, by lower-case name; filled when the body has ended.
    attr_reader :trailers

    def initialize(reader)
      @reader = reader
      @buffer = String.new(encoding: Encoding::BINARY)
      @trailers = {}
      @ended = false
      @closed = false
      @turn = Mutex.new
    end

    # As IO#read: with a length, waits for so many bytes or the end, at which it answers nil; without one, all the rest.
    def read(length = nil, buffer = nil)
      raise ArgumentError, "negative length #{length} given" if length&.negative?

      taken = gather(length) { length && @buffer.bytesize >= length }
      deliver(taken.empty? && length&.positive? ? nil : taken, buffer)
    end

    # As IO#readpartial: what is there, at most `length` bytes; waits only for the first. Raises EOFError at the end.
    def readpartial(length, buffer = nil)
      taken = gather(length) { !@buffer.empty? }
      if taken.empty? && length.positive?
        buffer&.clear
        raise EOFError, "end of file reached"
      end
      deliver(taken, buffer)
    end

    # The next line with its separator, nil at the end.
    def gets(separator = $/, chomp: false)
      line = separator ? @turn.synchronize { take_line(separator.b) } : read
      return if line.empty?

      chomp && separator ? line.chomp(separator) : line
    end

    # Yields the body as it comes.
    def each
      return enum_for(:each) unless block_given?

      loop do
        taken = gather { !@buffer.empty? }
        break if taken.empty?

        yield taken
      end
      self
    end

    def eof?
      @turn.synchronize do
        fill { !@buffer.empty? }
        @buffer.empty?
      end
    end

    # Reads no further; what the client still sends is thrown away.
    def close
      @closed = true
      @reader.close
      nil
    end

    def closed? = @closed

    def binmode = self

    def external_encoding = Encoding::BINARY

    def set_encoding(*) = self

    private

    # Reads chunks until the block is content or the body has ended.
    def fill
      raise IOError, "closed stream" if @closed

      until @ended || yield
        if (chunk = @reader.read_chunk)
          @buffer << chunk
        else
          @ended = true
          @trailers.merge!(@reader.trailers || {})
        end
      end
    end

    # Takes `length` bytes, or all, once the block is content or the body has ended.
    def gather(length = nil, &content)
      @turn.synchronize do
        fill(&content)
        take(length || @buffer.bytesize)
      end
    end

    def take_line(separator)
      from = 0
      found = nil
      fill do
        found = @buffer.index(separator, from)
        from = [@buffer.bytesize - separator.bytesize, 0].max unless found
        found
      end
      take(found ? found + separator.bytesize : @buffer.bytesize)
    end

    def take(length)
      return @buffer.slice!(0, length) if length < @buffer.bytesize

      taken = @buffer
      @buffer = String.new(encoding: Encoding::BINARY)
      taken
    end

    def deliver(bytes, buffer)
      return bytes unless buffer

      buffer.replace(bytes || "")
      bytes && buffer
    end
  end
end
