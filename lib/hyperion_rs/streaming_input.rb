# frozen_string_literal: true

module HyperionRs
  # The `rack.input` of a request whose body is read while it arrives. What is not read stays with the client: flow
  # control holds it back. Reads wait without the GVL and raise ClientDisconnected when the client goes away.
  class StreamingInput
    # The trailers of the request, by lower-case name; filled when the body has ended.
    attr_reader :trailers

    def initialize(reader)
      @reader = reader
      @buffer = String.new(encoding: Encoding::BINARY)
      @trailers = {}
      @ended = false
      @closed = false
    end

    # As IO#read: with a length, waits for so many bytes or the end, at which it answers nil; without one, all the rest.
    def read(length = nil, buffer = nil)
      raise ArgumentError, "negative length #{length} given" if length&.negative?

      fill { length && @buffer.bytesize >= length }
      taken = take(length || @buffer.bytesize)
      deliver(taken.empty? && length&.positive? ? nil : taken, buffer)
    end

    # As IO#readpartial: what is there, at most `length` bytes; waits only for the first. Raises EOFError at the end.
    def readpartial(length, buffer = nil)
      fill { !@buffer.empty? }
      if @buffer.empty? && length.positive?
        buffer&.clear
        raise EOFError, "end of file reached"
      end
      deliver(take(length), buffer)
    end

    # The next line with its separator, nil at the end.
    def gets(separator = $/, chomp: false)
      return read&.then { |rest| rest.empty? ? nil : rest } if separator.nil?

      from = 0
      fill do
        found = @buffer.index(separator.b, from)
        from = [@buffer.bytesize - separator.bytesize, 0].max unless found
        found
      end
      line = take(@buffer.index(separator.b)&.+(separator.bytesize) || @buffer.bytesize)
      line.chomp!(separator) if chomp && !line.empty?
      line unless line.empty?
    end

    # Yields the body as it comes.
    def each
      return enum_for(:each) unless block_given?

      loop do
        fill { !@buffer.empty? }
        break if @buffer.empty?

        yield take(@buffer.bytesize)
      end
      self
    end

    def eof?
      fill { !@buffer.empty? }
      @buffer.empty?
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
