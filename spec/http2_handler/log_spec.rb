# frozen_string_literal: true

require "json"
require "logger"
require "stringio"
require_relative "handler_helper"

RSpec.describe HyperionRs::Http2Handler, "log" do
  # Lines with this message, once there are some.
  def lines(message)
    eventually("the line #{message}") { logger.lines(message).any? }
    logger.lines(message)
  end

  it "says at debug which request was rejected, and why" do
    client = connect(listen(handler))
    client.write(Frames.headers(1, Frames.request(fields: { "connection" => "close" })))
    expect(client.wait_for_reset(1)).to eq(:protocol_error)
    expect(lines("h2 request rejected")).to match([include(level: :debug, reason: String, stream_id: 1)])
  end

  it "says so of streams beyond max_concurrent_streams, too" do
    gate = Thread::Queue.new
    client = connect(listen(handler(->(_env) { [200, {}, [gate.pop]] }, h2_settings: { max_concurrent_streams: 1 })))
    [1, 3].each { |stream| client.write(Frames.headers(stream)) }
    expect(client.wait_for_reset(3)).to eq(:refused_stream)
    gate << "done"
    expect(lines("h2 request rejected")).to match([include(reason: "max_concurrent_streams is reached", stream_id: 3)])
  end

  it "reports what the app raised, with class and backtrace" do
    client = connect(listen(handler(->(_env) { raise ArgumentError, "no\xFFgood" })))
    expect(get(client, "/path")).to eq(500)
    expect(lines("h2 stream dispatch failed")).to match(
      [include(level: :error, error: "no\u{FFFD}good", error_class: "ArgumentError", request: "GET /path",
               backtrace: /\A#{Regexp.escape(__FILE__)}:\d+:in /)]
    )
  end

  it "reports what is raised beside StandardError, and while a body is iterated" do
    body = Enumerator.new do |chunks|
      chunks << "some"
      raise NotImplementedError, "later"
    end
    client = connect(listen(handler(->(_env) { [200, {}, body] })))
    client.write(Frames.headers(1))
    expect(client.wait_for_reset(1)).to eq(:internal_error)
    expect(lines("h2 stream dispatch failed")).to match([include(error: "later", error_class: "NotImplementedError")])
  end

  it "does not take a client that leaves for an error" do
    entered, left = Array.new(2) { Latch.new }
    body = Class.new do
      define_method(:each) { |&block| entered.open && loop { block.call("x" * 100_000) } }
      # What there is to say of the end of `each` is said by then.
      define_method(:close) { left.open }
    end
    server = listen(handler(->(_env) { [200, {}, body.new] }))
    client = connect(server)
    client.write(Frames.headers(1))
    entered.wait
    client.close
    expect(server.ended).to be_nil
    left.wait
    expect(logger.lines.select { |line| line[:level] == :error }).to be_empty
  end

  it "says what keeps it from serving a connection, and closes that" do
    client, socket = pair
    handler = handler()
    allow(handler.instance_variable_get(:@native)).to receive(:open).and_raise(Errno::EMFILE)
    expect(handler.serve(socket)).to be_nil
    expect(socket).to be_closed
    client.wait_for_close
    expect(lines("h2 connection error")).to match(
      [include(level: :error, error: /open files/, error_class: "Errno::EMFILE", backtrace: / \| /)]
    )
  end

  it "has all lines of a connection written when serve returns" do
    server = listen(handler)
    client = connect(server)
    100.times do |index|
      client.write(Frames.headers((2 * index) + 1, Frames.request(fields: { "connection" => "close" })))
    end
    client.wait_for_reset(199)
    client.close
    expect(server.ended).to be_nil
    expect(logger.lines("h2 request rejected").size).to eq(100)
  end

  it "keeps the lines of handlers with different runtimes apart" do
    other = RecordingLogger.new
    app = ->(_env) { raise "mine" }
    server = listen(described_class.new(app:, runtime: HyperionRs::Runtime.new(metrics:, logger: other)))
    expect(get(connect(server))).to eq(500)
    eventually("its line") { other.lines("h2 stream dispatch failed").any? }
    expect(get(connect(listen(handler)))).to eq(200)
    expect(logger.lines.reject { |line| line[:message] == "h2 codec selected" }).to be_empty
  end

  it "survives a logger that raises" do
    broken = Object.new
    %i[debug info warn error].each { |level| broken.define_singleton_method(level) { raise "no disk" } }
    allow(broken).to receive(:info)
    app = ->(env) { env["PATH_INFO"] == "/" ? raise("hidden") : [200, {}, []] }
    server = listen(described_class.new(app:, runtime: HyperionRs::Runtime.new(metrics:, logger: broken)))
    client = connect(server)
    expect do
      expect(get(client)).to eq(500)
      expect(get(client, "/fine", stream: 3)).to eq(200)
      client.close
      server.ended
    end.to output(/hidden|dispatch failed.*the logger failed: no disk/).to_stderr
  end

  describe "timing" do
    around { |example| with_timing { example.run } }

    def with_timing(&block)
      saved = ENV.fetch("HYPERION_H2_TIMING", nil)
      ENV["HYPERION_H2_TIMING"] = "yes"
      block.call
    ensure
      ENV["HYPERION_H2_TIMING"] = saved
    end

    it "is logged once for a connection that served a stream, and its parts are its sum" do
      server = listen(handler)
      client = connect(server)
      expect([get(client), get(client, stream: 3)]).to eq([200, 200])
      client.close
      server.ended
      (line,) = lines = logger.lines("h2 first-stream timing")
      expect(lines).to match([include(level: :info)])
      parts = line.values_at(:t0_to_t1_ms, :t1_to_t2_enc_ms, :t2_enc_to_t2_wire_ms)
      expect(parts).to all(be_a(Float).and(be >= 0))
      expect(parts.sum).to be_within(0.0001).of(line[:t0_to_t2_wire_ms])
    end

    it "is not logged for a connection without a stream" do
      server = listen(handler)
      connect(server).close
      server.ended
      expect(logger.lines("h2 first-stream timing")).to be_empty
    end
  end

  it "has no timing when that is off" do
    server = listen(handler)
    client = connect(server)
    get(client)
    client.close
    server.ended
    expect(logger.lines("h2 first-stream timing")).to be_empty
  end

  describe "through Ruby's Logger" do
    let(:output) { StringIO.new }

    def serve_failure(logger)
      runtime = HyperionRs::Runtime.new(metrics:, logger:)
      server = listen(described_class.new(app: ->(_env) { raise "broken" }, runtime:))
      client = connect(server)
      get(client)
      client.close
      server.ended
    end

    it "has useful lines" do
      serve_failure(Logger.new(output))
      expect(output.string).to match(/ERROR -- : .*h2 stream dispatch failed.*broken.*RuntimeError/)
    end

    it "has JSON by HyperionRs::JsonFormatter" do
      serve_failure(Logger.new(output, formatter: HyperionRs::JsonFormatter.new))
      line = output.string.lines.map { |text| JSON.parse(text) }.find { |fields| fields["level"] == "error" }
      expect(line).to include("message" => "h2 stream dispatch failed", "error" => "broken",
                              "error_class" => "RuntimeError", "time" => /\A\d{4}-\d\d-\d\dT/)
    end

    it "builds no line below its level" do
      serve_failure(Logger.new(output, level: Logger::FATAL))
      expect(output.string).to be_empty
    end
  end
end
