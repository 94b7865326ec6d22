# frozen_string_literal: true

# What proxies have to carry: plain answers, bodies both ways, events, and WebSockets.

require "digest"
require "json"

require_relative "../websocket/support/libraries"

ECHO = File.expand_path("../websocket/app.ru", __dir__)
WEBSOCKETS, = Rack::Builder.parse_file(ECHO) if WebSocketLibraries.available?
TEXT = { "content-type" => "text/plain" }.freeze
# Whoever asks for /go lets /wait go on.
GO = Queue.new
# Streams of /events, which stay open until their clients leave.
OPEN = Queue.new

def digest(input)
  sha256 = Digest::SHA256.new
  size = 0
  while (chunk = input.read(65_536))
    sha256 << chunk
    size += chunk.bytesize
  end
  "#{size} #{sha256.hexdigest}"
end

# A first piece at once, the second when somebody asks for /go.
WAIT = Enumerator.new do |body|
  body << "first\n"
  body << "second #{GO.pop}\n"
end

run lambda { |env|
  path = env["PATH_INFO"]
  case path
  when "/driver" then WEBSOCKETS.call(env)
  when "/env" then [200, TEXT.dup, [JSON.generate(env.select { |key, _| key.match?(/\A(HTTP_|S|REM|REQ|rack.url)/) })]]
  when "/digest" then [200, TEXT.dup, [digest(env["rack.input"])]]
  when "/events" then [200, TEXT.dup, ->(stream) { OPEN << (stream << "event\n") }]
  # More than any proxy takes in advance.
  when "/large" then [200, TEXT.dup, Array.new(200) { "x" * 100_000 }.each]
  when "/wait" then [200, TEXT.dup, WAIT.dup]
  when "/go" then [200, TEXT.dup, [(GO << 1).num_waiting.to_s]]
  when %r{\A/(\d+)\z} then [Integer(Regexp.last_match(1), 10), {}, []]
  else [200, TEXT.merge("set-cookie" => "a=1", "x-path" => path), ["hello\n"]]
  end
}
