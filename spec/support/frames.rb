# frozen_string_literal: true

# The bytes of HTTP/2 frames (RFC 9113), also of those that no honest client sends.
module Frames
  PREFACE = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".b.freeze

  DATA = 0x0
  HEADERS = 0x1
  PRIORITY = 0x2
  RST_STREAM = 0x3
  SETTINGS = 0x4
  PING = 0x6
  GOAWAY = 0x7
  WINDOW_UPDATE = 0x8
  CONTINUATION = 0x9

  END_STREAM = 0x1
  ACK = 0x1
  END_HEADERS = 0x4
  PRIORITIZED = 0x20

  HEADER_TABLE_SIZE = 0x1
  INITIAL_WINDOW_SIZE = 0x4
  MAX_FRAME_SIZE = 0x5

  MAX_WINDOW = (2**31) - 1

  REASONS = %i[no_error protocol_error internal_error flow_control_error settings_timeout stream_closed
               frame_size_error refused_stream cancel compression_error connect_error enhance_your_calm
               inadequate_security http_1_1_required].freeze

  Frame = Struct.new(:type, :flags, :stream, :payload) do
    def end_stream?
      [DATA, HEADERS].include?(type) && flags.anybits?(END_STREAM)
    end

    # Of RST_STREAM and GOAWAY.
    def reason
      REASONS.fetch((type == GOAWAY ? payload.byteslice(4, 4) : payload).unpack1("N"))
    end

    # Of HEADERS that refer to nothing that earlier ones have said.
    def status
      first, length, *rest = payload.bytes
      return INDEXED_STATUSES.fetch(first - 0x88) if first >= 0x80
      raise ArgumentError, "not a literal status: #{payload.inspect}" unless first == LITERAL_STATUS

      text = rest.first(length & 0x7f).pack("C*")
      Integer(length >= 0x80 ? unhuffman(text).first(3).join : text, 10)
    end

    private

    def unhuffman(bytes)
      bytes.unpack1("B*").scan(Regexp.union(DIGITS.keys)).map { |code| DIGITS.fetch(code) }
    end
  end

  # RFC 7541, appendix A from index 8 on, and appendix B for digits.
  INDEXED_STATUSES = [200, 204, 206, 304, 400, 404, 500].freeze
  LITERAL_STATUS = 0x48
  DIGITS = { "0" => "00000", "1" => "00001", "2" => "00010", "3" => "011001", "4" => "011010", "5" => "011011",
             "6" => "011100", "7" => "011101", "8" => "011110", "9" => "011111" }.invert.freeze

  module_function

  def frame(type, flags, stream, payload = "")
    [payload.bytesize >> 16, payload.bytesize & 0xffff, type, flags, stream].pack("CnCCN") + payload
  end

  def settings(values = {})
    frame(SETTINGS, 0, 0, values.to_a.flatten.pack("nN" * values.size))
  end

  def settings_ack
    frame(SETTINGS, ACK, 0)
  end

  # A request's HEADERS; `block` is its header block, END_STREAM is set unless a body follows.
  def headers(stream, block = request, body: false, flags: END_HEADERS)
    frame(HEADERS, flags | (body ? 0 : END_STREAM), stream, block)
  end

  def data(stream, bytes = "", last: false)
    frame(DATA, last ? END_STREAM : 0, stream, bytes)
  end

  def rst_stream(stream, reason = :cancel)
    frame(RST_STREAM, 0, stream, [REASONS.index(reason)].pack("N"))
  end

  def window_update(stream, increment)
    frame(WINDOW_UPDATE, 0, stream, [increment].pack("N"))
  end

  def ping(payload = "\0" * 8, ack: false)
    frame(PING, ack ? ACK : 0, 0, payload)
  end

  def priority(stream, depends_on)
    frame(PRIORITY, 0, stream, dependency(depends_on))
  end

  def dependency(stream, weight: 15)
    [stream, weight].pack("NC")
  end

  # The header block of a request, all literals without indexing.
  def request(path = "/", method: "GET", scheme: "http", authority: "localhost", fields: {})
    pseudo = { ":method" => method, ":scheme" => scheme, ":path" => path, ":authority" => authority }
    pseudo.merge(fields).map { |name, value| field(name, value) }.join
  end

  # One field line (RFC 7541, section 6.2). With `first` 0x40 it enters the dynamic table.
  def field(name, value, first: 0x00)
    [first].pack("C") + string(name) + string(value)
  end

  def string(bytes)
    integer(bytes.bytesize, prefix: 7) + bytes.b
  end

  # An integer with the given prefix (RFC 7541, section 5.1), `pattern` in the bits above it.
  def integer(value, prefix:, pattern: 0)
    limit = (1 << prefix) - 1
    return [pattern | value].pack("C") if value < limit

    bytes = [pattern | limit]
    value -= limit
    while value >= 0x80
      bytes << ((value & 0x7f) | 0x80)
      value >>= 7
    end
    (bytes << value).pack("C*")
  end
end
