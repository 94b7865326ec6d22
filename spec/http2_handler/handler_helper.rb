# frozen_string_literal: true

require "socket"
require "timeout"
require_relative "support/recorders"

# Handlers in this process, each with a listener of its own, and clients for them.
module HandlerHelper
  HELLO = ->(env) { [200, { "content-type" => "text/plain" }, ["hello #{env['PATH_INFO']}"]] }
  PREFIX = "$LOAD_PATH.unshift #{ServerProcess::LIBRARY.inspect}; require 'hyperion_rs'; require 'socket'\n".freeze

  # Whether there is the async library: distributions compile what it needs for one Ruby.
  ASYNC = Gem::Specification.find_all_by_name("async").any?

  # What a listener's connections are served by, and how the calls of `serve` have ended.
  Listener = Struct.new(:server, :thread, :ends) do
    def port
      server.local_address.ip_port
    end

    def url(path = "/")
      "http://127.0.0.1:#{port}#{path}"
    end

    # The next call of `serve` to end: nil, or what it raised.
    def ended(within: 30)
      Timeout.timeout(within) { ends.pop }
    end

    def close
      thread.kill
      server.close
    end
  end

  def self.included(group)
    group.let(:logger) { RecordingLogger.new }
    group.let(:metrics) { RecordingMetrics.new }
    group.let(:runtime) { HyperionRs::Runtime.new(metrics:, logger:) }
    group.after do
      @clients&.each(&:close)
      @listeners&.each(&:close)
    end
  end

  # A handler that tells `logger` and `metrics`.
  def handler(app = HELLO, **options)
    HyperionRs::Http2Handler.new(app:, runtime:, **options)
  end

  # As one that was started with these variables.
  def with_environment(variables)
    stub_const("ENV", ENV.to_h.merge(variables).compact)
    yield
  end

  # Has the handler serve every connection in a thread of its own. A block makes of a socket what is served.
  def listen(handler, &wrap)
    server = TCPServer.new("127.0.0.1", 0)
    ends = Thread::Queue.new
    thread = Thread.new do
      loop do
        Thread.new(server.accept) { |socket| ends << outcome { handler.serve(wrap ? wrap.call(socket) : socket) } }
      end
    end
    Listener.new(server, thread, ends).tap { |listener| (@listeners ||= []) << listener }
  end

  # A client after its handshake.
  def connect(listener, **options)
    track(RawConnection.open(listener.port, **options))
  end

  # Both ends of a connection: that of a client, and what is to be served.
  def pair
    near, far = UNIXSocket.pair
    [track(RawConnection.new(near)), far]
  end

  # One request on a stream of its own; answers its status.
  def get(client, path = "/", stream: 1)
    client.write(Frames.headers(stream, Frames.request(path)))
    client.wait_for_end(stream)
    client.status(stream)
  end

  # Runs a program of its own to its end.
  def run_ruby(program, env: {}, within: 60)
    ChildProcess.run(RbConfig.ruby, "-e", PREFIX + program, env:, within:)
  end

  private

  def outcome
    yield
  rescue StandardError => e
    e
  end

  def track(client)
    (@clients ||= []) << client
    client
  end
end

# What concerns no handler in particular is not printed among the results.
HyperionRs::Runtime.default.logger = RecordingLogger.new

RSpec.configure do |config|
  config.include HandlerHelper, file_path: %r{/spec/http2_handler/}
  config.include Http2Client, file_path: %r{/spec/http2_handler/}
  config.include Eventually, file_path: %r{/spec/http2_handler/}
end
