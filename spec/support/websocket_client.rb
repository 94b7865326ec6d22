# frozen_string_literal: true

require "digest"
require "securerandom"
require "socket"
require_relative "deadline"

# A WebSocket (RFC 6455) over any stream, with every wait bounded. It speaks to servers that behave.
class WebSocketClient
  class Refused < StandardError
  end

  PATIENCE = 30
  READ = 65_536
  ACCEPTANCE = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"

  TEXT = 0x1
  BINARY = 0x2
  CLOSE = 0x8
  FINAL = 0x80
  MASKED = 0x80

  # Opens one on the stream, and closes the stream after the block.
  def self.open(io, path, host: "localhost")
    client = new(io)
    client.shake_hands(path, host)
    yield client
  ensure
    io.close
  end

  def initialize(io)
    @io = io
    @unread = "".b
  end

  # RFC 6455, section 4.1.
  def shake_hands(path, host)
    key = SecureRandom.base64(16)
    @io.write("GET #{path} HTTP/1.1\r\nhost: #{host}\r\nconnection: Upgrade\r\nupgrade: websocket\r\n" \
              "sec-websocket-version: 13\r\nsec-websocket-key: #{key}\r\n\r\n")
    fill until (size = @unread.index("\r\n\r\n"))
    head = take(size + 4)
    accepted = head.match?(%r{\AHTTP/1\.1 101 }) && head.match?(/^sec-websocket-accept: #{acceptance(key)}\r$/i)
    raise Refused, head unless accepted
  end

  # Sends a message: text, or binary if that is its encoding.
  def send_message(message)
    send_frame(message.encoding == Encoding::BINARY ? BINARY : TEXT, message.b)
  end

  # The next message.
  def receive
    opcode, payload = next_frame
    case opcode
    when TEXT then payload.force_encoding(Encoding::UTF_8)
    when BINARY then payload
    else raise Refused, "a frame with opcode #{opcode}: #{payload.inspect}"
    end
  end

  # Closes, and answers the code of the other side.
  def close(code = 1000)
    send_frame(CLOSE, [code].pack("n"))
    opcode, payload = next_frame
    raise Refused, "a frame with opcode #{opcode} instead of a close" unless opcode == CLOSE

    payload.unpack1("n")
  end

  private

  def acceptance(key)
    Regexp.escape([Digest::SHA1.digest(key + ACCEPTANCE)].pack("m0"))
  end

  # RFC 6455, section 5.2. The mask is zero, which masks nothing.
  def send_frame(opcode, payload)
    size = payload.bytesize
    length = case size
             when ...126 then [MASKED | size].pack("C")
             when ...65_536 then [MASKED | 126, size].pack("Cn")
             else [MASKED | 127, size].pack("CQ>")
             end
    @io.write([FINAL | opcode].pack("C"), length, "\0\0\0\0", payload)
  end

  def next_frame
    first, length = take(2).unpack("CC")
    length = take(2).unpack1("n") if length == 126
    length = take(8).unpack1("Q>") if length == 127
    [first & 0xf, take(length)]
  end

  def take(bytes)
    fill until @unread.bytesize >= bytes
    @unread.slice!(0, bytes)
  end

  def fill
    raise Refused, "nothing came within #{PATIENCE} s" unless @io.wait_readable(PATIENCE)

    @unread << @io.readpartial(READ)
  end
end
