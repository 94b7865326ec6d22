# frozen_string_literal: true

require "socket"
require_relative "deadline"

# HTTP/1.1, right or wrong, as bytes on a connection of its own.
module RawText
  # Sends bytes to a server on this machine, and answers all that comes until it ends the connection. The client's half
  # ends with the bytes, unless it is `silent` behind them.
  def say(port, bytes, silent: false, within: 30)
    TCPSocket.open("127.0.0.1", port) do |socket|
      deadline = Deadline.new(within)
      socket.write(bytes)
      socket.close_write unless silent
      read_all(socket, deadline)
    end
  end

  private

  def read_all(socket, deadline)
    bytes = "".b
    loop do
      raise "no end after #{bytes.inspect}" unless socket.wait_readable(deadline.remaining)

      bytes << socket.readpartial(65_536)
    end
  rescue EOFError, Errno::ECONNRESET
    # A reset says that the server has not read all of it.
    bytes
  end
end
