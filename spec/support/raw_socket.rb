# frozen_string_literal: true

require "openssl"
require "socket"
require_relative "deadline"

# A TCP or TLS stream to a server on this machine. It reads while it writes, so that neither side waits for the other,
# and every wait has an end. What is read goes to `take`.
class RawSocket
  READ = 65_536
  PATIENCE = 30

  # The stream, without a word of HTTP/2.
  def self.bare(port, tls: false)
    socket = TCPSocket.new("127.0.0.1", port)
    socket.setsockopt(Socket::IPPROTO_TCP, Socket::TCP_NODELAY, 1)
    new(tls ? encrypted(socket) : socket)
  end

  def self.encrypted(socket)
    context = OpenSSL::SSL::SSLContext.new
    context.verify_mode = OpenSSL::SSL::VERIFY_NONE
    context.alpn_protocols = ["h2"]
    OpenSSL::SSL::SSLSocket.new(socket, context).tap do |ssl|
      ssl.sync_close = true
      ssl.connect
    end
  end
  private_class_method :encrypted

  def initialize(io)
    @io = io
    @outgoing = "".b
    @closed = @deaf = false
  end

  # Sends bytes; false when the server has closed the connection or takes nothing more within the time.
  def write(bytes, within: PATIENCE)
    @outgoing << bytes
    deadline = Deadline.new(within)
    step(deadline.remaining) until @outgoing.empty? || @closed || @deaf || deadline.passed?
    @outgoing.empty? && !@closed && !@deaf
  end

  # Has the kernel take little of what is not read.
  def shrink_receive_buffer
    @io.to_io.setsockopt(Socket::SOL_SOCKET, Socket::SO_RCVBUF, READ)
  end

  # Sends a few bytes without reading.
  def write_deaf(bytes)
    @io.write(bytes)
  end

  def closed?
    @closed
  end

  def close
    @closed = true
    @io.close
  end

  private

  # Waits until the connection can be read or, if there is something to say, written; then does that.
  def step(within)
    readable, writable = pending? ? [[@io], []] : IO.select([@io], waiting_to_write, nil, within)
    send_some if writable&.any?
    receive if readable&.any?
  end

  # TLS may have decrypted more than was read.
  def pending?
    @io.respond_to?(:pending) && @io.pending.positive?
  end

  def waiting_to_write
    @outgoing.empty? || @deaf ? [] : [@io]
  end

  # A server that takes no more may still have said something.
  def send_some
    written = @io.write_nonblock(@outgoing, exception: false)
    @outgoing = @outgoing.byteslice(written..) if written.is_a?(Integer)
  rescue Errno::EPIPE, Errno::ECONNRESET, OpenSSL::SSL::SSLError
    @deaf = true
  end

  def receive
    chunk = @io.read_nonblock(READ, exception: false)
    return @closed = true if chunk.nil?

    take(chunk) if chunk.is_a?(String)
  rescue Errno::ECONNRESET, OpenSSL::SSL::SSLError
    @closed = true
  end
end
