# frozen_string_literal: true

module HyperionRs
  # A response body that is a part of a file, or all of it. The bridge takes the path and the range in `content-range`,
  # and never calls `each`; what stands between the app and the server may.
  class FilePart
    CHUNK = 64 * 1024
    private_constant :CHUNK

    # Bytes.
    attr_reader :length

    def initialize(path, offset, length)
      @path = path
      @offset = offset
      @length = length
    end

    def to_path = @path

    # The part of this part at a Range of bytes.
    def slice(range) = FilePart.new(@path, @offset + range.min, range.size)

    def each
      File.open(@path, "rb") do |file|
        file.seek(@offset)
        left = @length
        while left.positive? && (chunk = file.read([CHUNK, left].min))
          left -= chunk.bytesize
          yield chunk
        end
      end
    end
  end
end
