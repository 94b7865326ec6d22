# frozen_string_literal: true

module HyperionRs
  # The `rack.input` of a request without a body. It has no state, so that all requests share one.
  class EmptyInput
    # As IO#read at the end of a file.
    def read(length = nil, buffer = nil)
      buffer&.clear
      return if length&.positive?

      buffer || String.new
    end

    # As IO#readpartial at the end of a file.
    def readpartial(_length, buffer = nil)
      buffer&.clear
      raise EOFError, "end of file reached"
    end

    def gets(*) = nil

    def each = block_given? ? self : enum_for(:each)

    def rewind = 0

    def size = 0

    def eof? = true

    def close = nil

    def closed? = false

    def binmode = self

    def external_encoding = Encoding::BINARY

    def set_encoding(*) = self
  end

  # The one that all requests share.
  EMPTY_INPUT = EmptyInput.new.freeze
end
