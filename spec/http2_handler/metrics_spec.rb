# frozen_string_literal: true

require_relative "handler_helper"

RSpec.describe HyperionRs::Http2Handler, "metrics" do
  def app
    lambda { |env|
      case env["PATH_INFO"]
      when "/raise" then raise "broken"
      when "/missing" then [404, {}, []]
      else [200, {}, ["hello"]]
      end
    }
  end

  # Requests of every kind on one connection, which is over then.
  def exercise(handler)
    server = listen(handler)
    client = connect(server)
    %w[/ / /missing /raise].each_with_index { |path, index| get(client, path, stream: (2 * index) + 1) }
    client.write(Frames.headers(9, Frames.request(fields: { "te" => "gzip" })))
    client.wait_for_reset(9)
    client.close
    expect(server.ended).to be_nil
  end

  it "counts for any object with the four methods; the counts are complete when serve returns" do
    exercise(handler(app))
    expect(metrics[:connections_accepted]).to eq(1)
    expect(metrics[:connections_active]).to eq(0)
    expect(metrics[:requests_total]).to eq(4)
    expect(metrics[:requests_in_flight]).to eq(0)
    expect(metrics[:requests_rejected]).to eq(1)
    expect(metrics[:app_errors]).to eq(1)
    expect([200, 404, 500].map { |status| metrics[[:status, status]] }).to eq([2, 1, 1])
    expect(metrics[[:worker, Process.pid.to_s]]).to eq(4)
  end

  it "counts in HyperionRs::Metrics" do
    own = HyperionRs::Metrics.new
    exercise(described_class.new(app:, runtime: HyperionRs::Runtime.new(metrics: own, logger:)))
    expect(own.snapshot).to include(
      connections_accepted: 1, connections_active: 0, requests_total: 4, requests_in_flight: 0, requests_rejected: 1,
      app_errors: 1, responses_status_total: { 200 => 2, 404 => 1, 500 => 1 },
      requests_dispatch_total: { Process.pid.to_s => 4 }
    )
    expect(own.to_prometheus).to include("hyperion_connections_accepted")
  end

  it "tells open connections and requests in flight while they are" do
    gate = Thread::Queue.new
    own = HyperionRs::Metrics.new
    runtime = HyperionRs::Runtime.new(metrics: own, logger:)
    server = listen(described_class.new(app: ->(_env) { [200, {}, [gate.pop]] }, runtime:))
    client = connect(server)
    [1, 3].each { |stream| client.write(Frames.headers(stream)) }
    eventually("two requests") { own.snapshot[:requests_in_flight] == 2 }
    expect(own.snapshot[:connections_active]).to eq(1)
    2.times { gate << "" }
    [1, 3].each { |stream| client.wait_for_end(stream) }
    client.close
    server.ended
    expect(own.snapshot).to include(requests_in_flight: 0, connections_active: 0)
  end

  it "tells an object with the four methods of each response when it is over, while the connection stays" do
    client = connect(listen(handler(app)))
    expect(get(client)).to eq(200)
    # One after the other, the status last.
    eventually("the counts") { metrics[[:status, 200]] == 1 && metrics[:requests_in_flight].zero? }
    expect([metrics[:requests_total], metrics[:connections_active]]).to eq([1, 1])
  end

  it "tells an object with the four methods of connections and requests while they are there" do
    gate = Thread::Queue.new
    client = connect(listen(handler(->(_env) { [200, {}, [gate.pop]] })))
    eventually("the connection") { metrics[:connections_active] == 1 && metrics[:connections_accepted] == 1 }
    client.write(Frames.headers(1))
    eventually("the request") { metrics[:requests_in_flight] == 1 && metrics[:requests_total] == 1 }
    gate << "done"
    client.wait_for_end(1)
    eventually("its end") { metrics[:requests_in_flight].zero? }
  end

  it "tells it of requests that go no further while the connection stays, whatever the level of the log" do
    logger.define_singleton_method(:level) { Logger::ERROR }
    entered, gate = Array.new(2) { Thread::Queue.new }
    app = ->(_env) { (entered << true) && [200, {}, [gate.pop]] }
    client = connect(listen(handler(app, h2_admission: HyperionRs::H2Admission.new(1))))
    client.write(Frames.headers(1))
    entered.pop
    client.write(Frames.headers(3))
    expect(client.wait_for_reset(3)).to eq(:refused_stream)
    eventually("the refusal") { metrics[:h2_streams_refused] == 1 }
    client.write(Frames.headers(5, Frames.request(fields: { "te" => "gzip" })))
    expect(client.wait_for_reset(5)).to eq(:protocol_error)
    eventually("the rejection") { metrics[:requests_rejected] == 1 }
    gate << "done"
    client.wait_for_end(1)
  end

  it "waits for another thread that still tells the metrics object" do
    slow = Class.new(RecordingMetrics) do
      def increment_status(status)
        sleep(0.05)
        super
      end
    end
    metrics = slow.new
    server = listen(described_class.new(app:, runtime: HyperionRs::Runtime.new(metrics:, logger:)))
    5.times do |index|
      client = connect(server)
      get(client)
      client.close
      expect(server.ended).to be_nil
      expect(metrics[[:status, 200]]).to eq(index + 1)
    end
  end

  it "keeps runtimes apart, and adds up handlers that share one" do
    others = RecordingMetrics.new
    exercise(handler(app))
    exercise(described_class.new(app:, runtime: HyperionRs::Runtime.new(metrics: others, logger:)))
    exercise(handler(app))
    expect([metrics[:requests_total], others[:requests_total]]).to eq([8, 4])
  end

  it "logs a metrics object that raises, and serves on" do
    allow(metrics).to receive(:increment_status).and_raise("full")
    client = connect(listen(handler(app)))
    expect([get(client), get(client, stream: 3)]).to eq([200, 200])
    eventually("its line") { logger.lines.any? { |line| line[:error] == "full" && line[:request] == "metrics" } }
  end

  it "is exact under load" do
    server = listen(handler(app))
    result = h2load(server.url, requests: 3_000, clients: 10, streams: 10)
    10.times { expect(server.ended).to be_nil }
    expect(metrics[[:status, 200]]).to eq(result.succeeded)
    expect([metrics[:requests_total], metrics[:connections_accepted]]).to eq([3_000, 10])
  end
end
