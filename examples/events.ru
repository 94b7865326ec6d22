# frozen_string_literal: true

# Server-sent events to any number of clients, fed by one thread:
#
#     hyperion-rs --tls dev examples/events.ru
#     curl -kN --http2 https://localhost:9292/events
#
# A request to /events holds no thread: its body keeps the stream and returns. Writing does not wait for a slow client
# either, until its memory and its temporary file are full; what it may cost is bounded by write_timeout.

# The open streams, and the thread that writes to them.
class Broadcast
  # Seconds between two events.
  INTERVAL = 1.0

  def initialize
    @streams = []
    @lock = Mutex.new
    @thread = Thread.new { run }
  end

  def add(stream)
    @lock.synchronize { @streams << stream }
  end

  def size
    @lock.synchronize { @streams.size }
  end

  private

  def run
    beat = Process.clock_gettime(Process::CLOCK_MONOTONIC)
    (1..).each do |number|
      beat += INTERVAL
      sleep([beat - Process.clock_gettime(Process::CLOCK_MONOTONIC), 0].max)
      send_all("id: #{number}\ndata: #{Time.now.utc.strftime('%FT%TZ')}\n\n")
    end
  end

  def send_all(event)
    streams = @lock.synchronize { @streams.dup }
    gone = streams.reject { |stream| send_to(stream, event) }
    @lock.synchronize { @streams -= gone } if gone.any?
  end

  # False when the client has gone.
  def send_to(stream, event)
    stream << event
    true
  rescue IOError
    stream.close
    false
  end
end

broadcast = Broadcast.new
HEADERS = { "content-type" => "text/event-stream", "cache-control" => "no-store" }.freeze

run lambda { |env|
  case env["PATH_INFO"]
  when "/events" then [200, HEADERS.dup, ->(stream) { broadcast.add(stream) }]
  when "/" then [200, { "content-type" => "text/plain" }, ["#{broadcast.size} streams, #{Thread.list.size} threads\n"]]
  else [404, { "content-type" => "text/plain" }, ["Not Found\n"]]
  end
}
