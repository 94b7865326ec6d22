# frozen_string_literal: true

# Echoes, in the ways in which libraries of Ruby serve WebSockets; and rooms, as ActionCable has them.

require "faye/websocket"
require "nio"
require "websocket/driver"

# One thread for all sockets of websocket-driver, which are the app's.
class Loop
  # What the driver writes to.
  class Client
    attr_reader :env, :url

    def initialize(env, io)
      @env = env
      @io = io
      @url = "ws://#{env['HTTP_HOST']}#{env['PATH_INFO']}"
      @driver = WebSocket::Driver.rack(self)
      @driver.on(:message) { |event| received(event.data) }
      @driver.on(:close) { close }
      @driver.start
    end

    def write(data)
      @io.write(data)
    end

    def readable
      @driver.parse(@io.read_nonblock(65_536))
    rescue IO::WaitReadable
      nil
    rescue EOFError, SystemCallError => e
      warn("socket lost: #{e.class}")
      close
    end

    def close
      @io.close
    end

    def closed? = @io.closed?

    private

    def received(data)
      # Newer drivers have Strings for both.
      binary = data.is_a?(Array) || data.encoding == Encoding::BINARY
      binary ? @driver.binary(data) : @driver.text(data)
    end
  end

  def initialize
    @selector = NIO::Selector.new
    @arrivals = Thread::Queue.new
    Thread.new { loop { turn } }
  end

  def add(env)
    @arrivals << [env, env["rack.hijack"].call]
    @selector.wakeup
  end

  private

  def turn
    register until @arrivals.empty?
    @selector.select { |monitor| serve(monitor) }
  end

  def register
    env, io = @arrivals.pop
    monitor = @selector.register(io, :r)
    monitor.value = Client.new(env, io)
  end

  def serve(monitor)
    monitor.value.readable
    monitor.close if monitor.value.closed?
  end
end

DRIVER = Loop.new

# Frames by hand: a server that knows rack.protocol, and echoes bytes as they are.
UPCASE = lambda { |stream|
  begin
    loop { stream << stream.readpartial(65_536).upcase }
  rescue EOFError
    stream.close
  end
}

# EventMachine does not survive that its thread is killed, as the exit does, while it tells of the end of a connection.
at_exit do
  thread = EventMachine.reactor_thread
  EventMachine.next_tick { EventMachine.stop } if thread
  thread&.join(30)
end

def faye(env)
  socket = Faye::WebSocket.new(env, ["chat"])
  socket.on(:message) { |event| socket.send(event.data) }
  socket.rack_response
end

run lambda { |env|
  case env["PATH_INFO"]
  when "/faye" then faye(env)
  when "/driver"
    DRIVER.add(env)
    [-1, {}, []]
  when "/protocol" then [200, { "rack.protocol" => env["rack.protocol"].first }, UPCASE]
  when "/switch" then [101, { "upgrade" => "websocket", "connection" => "upgrade", "rack.hijack" => UPCASE }, []]
  when "/env"
    keys = %w[REQUEST_METHOD HTTP_UPGRADE HTTP_CONNECTION HTTP_SEC_WEBSOCKET_KEY HTTP_SEC_WEBSOCKET_VERSION
              rack.protocol]
    [403, {}, [env.slice(*keys).inspect]]
  when "/refused" then [404, { "content-type" => "text/plain" }, ["no such room"]]
  when "/wrong" then [101, {}, []]
  else [200, { "content-type" => "text/plain" }, ["a page"]]
  end
}
