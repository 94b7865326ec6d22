# frozen_string_literal: true

require_relative "handler_helper"

RSpec.describe HyperionRs::H2Admission do
  it "counts slots against a maximum" do
    admission = described_class.new(2)
    expect(Array.new(3) { admission.admit }).to eq([true, true, false])
    expect(admission.stats).to eq(in_flight: 2, rejected: 1, max: 2)
    admission.release
    expect(admission.admit).to be(true)
  end

  it "takes the keyword of the class that it replaces" do
    expect(described_class.new(max_total_streams: 5).stats).to eq(in_flight: 0, rejected: 0, max: 5)
  end

  it "has no cap when the maximum is nil, and counts all the same" do
    admission = described_class.new(max_total_streams: nil)
    expect(Array.new(100) { admission.admit }).to all(be(true))
    99.times { admission.release }
    expect(admission.stats).to eq(in_flight: 1, rejected: 0, max: nil)
  end

  it "never has fewer than none in flight" do
    admission = described_class.new(1)
    3.times { admission.release }
    expect(admission.stats[:in_flight]).to eq(0)
  end

  it "refuses a maximum that is none" do
    [0, -1, "5", 1.5].each { |max| expect { described_class.new(max) }.to raise_error(ArgumentError, /max/) }
  end

  it "is exact between threads" do
    admission = described_class.new(3)
    Array.new(8) { Thread.new { 1_000.times { admission.release if admission.admit } } }.each(&:join)
    stats = admission.stats
    expect(stats[:in_flight]).to eq(0)
  end
end

RSpec.describe HyperionRs::Http2Handler, "h2_admission" do
  let(:gate) { Thread::Queue.new }
  let(:entered) { Thread::Queue.new }

  def app
    lambda { |env|
      case env["PATH_INFO"]
      when "/held"
        entered << true
        [200, {}, [gate.pop]]
      when "/raise" then raise "broken"
      when "/body" then [200, {}, Enumerator.new { |chunks| chunks << "x" && raise("late") }]
      when "/endless" then [200, {}, Enumerator.new { |chunks| loop { chunks << "x" * 100_000 } }]
      else [200, {}, ["hello"]]
      end
    }
  end

  def hold(client, *streams)
    streams.each { |stream| client.write(Frames.headers(stream, Frames.request("/held"))) }
  end

  shared_examples "an admission" do
    it "refuses requests beyond the cap with REFUSED_STREAM, and admits again when one is over" do
      client = connect(listen(handler(app, h2_admission: admission)))
      hold(client, 1, 3)
      2.times { entered.pop }
      client.write(Frames.headers(5))
      expect(client.wait_for_reset(5)).to eq(:refused_stream)
      expect(admission.stats).to eq(in_flight: 2, rejected: 1, max: 2)
      2.times { gate << "done" }
      [1, 3].each { |stream| client.wait_for_end(stream) }
      eventually("both slots") { admission.stats[:in_flight].zero? }
      expect(get(client, stream: 7)).to eq(200)
    end

    it "releases each slot once: on success, errors, resets and disconnects" do
      server = listen(handler(app, h2_admission: admission))
      50.times do
        client = connect(server)
        client.write(Frames.window_update(0, 1 << 20))
        %w[/ /raise].each_with_index { |path, index| get(client, path, stream: (2 * index) + 1) }
        eventually("both slots") { admission.stats[:in_flight].zero? }
        client.write(Frames.headers(5, Frames.request("/body")))
        client.wait_for_reset(5)
        eventually("its slot") { admission.stats[:in_flight].zero? }
        client.write(Frames.headers(7, Frames.request("/endless")))
        client.wait_for("DATA") { |frame| frame.type == Frames::DATA && frame.stream == 7 }
        client.write(Frames.rst_stream(7))
        client.write(Frames.headers(9, Frames.request("/endless")))
        client.wait_for("DATA") { |frame| frame.type == Frames::DATA && frame.stream == 9 }
        client.close
        server.ended
        eventually("all slots") { admission.stats[:in_flight].zero? }
      end
      expect(admission.stats).to eq(in_flight: 0, rejected: 0, max: 2)
    end

    it "releases slots on shutdown" do
      handler = handler(app, h2_admission: admission)
      server = listen(handler)
      client = connect(server)
      hold(client, 1)
      entered.pop
      handler.shutdown
      gate << "done"
      expect(server.ended).to be_nil
      eventually("its slot") { admission.stats[:in_flight].zero? }
    end

    it "releases slots of a connection whose thread was killed" do
      client, socket = pair
      handler = handler(app, h2_admission: admission)
      thread = Thread.new { handler.serve(socket) }
      client.greet
      hold(client, 1)
      entered.pop
      thread.kill.join
      gate << "done"
      eventually("its slot") { admission.stats[:in_flight].zero? }
    end

    it "is shared by handlers" do
      handlers = Array.new(2) { handler(app, h2_admission: admission) }
      clients = handlers.map { |handler| connect(listen(handler)) }
      clients.each { |client| hold(client, 1) }
      2.times { entered.pop }
      clients.each do |client|
        client.write(Frames.headers(3))
        expect(client.wait_for_reset(3)).to eq(:refused_stream)
      end
      2.times { gate << "done" }
      clients.each { |client| client.wait_for_end(1) }
    end

    it "counts refusals in the metrics, and says at debug why" do
      server = listen(handler(app, h2_admission: admission))
      client = connect(server)
      hold(client, 1, 3)
      2.times { entered.pop }
      client.write(Frames.headers(5))
      client.wait_for_reset(5)
      2.times { gate << "done" }
      [1, 3].each { |stream| client.wait_for_end(stream) }
      client.close
      server.ended
      expect(metrics[:h2_streams_refused]).to eq(1)
      expect(metrics[:requests_total]).to eq(2)
      expect(logger.lines("h2 request rejected")).to match([include(level: :debug, stream_id: 5, reason: String)])
    end
  end

  context "with an H2Admission" do
    let(:admission) { HyperionRs::H2Admission.new(2) }

    include_examples "an admission"
  end

  context "with an object of the app's" do
    let(:admission) { RecordingAdmission.new(2) }

    include_examples "an admission"

    it "answers 500 and logs when it raises" do
      allow(admission).to receive(:admit).and_raise("confused")
      client = connect(listen(handler(app, h2_admission: admission)))
      expect(get(client)).to eq(500)
      eventually("its line") { logger.lines.any? { |line| line[:error] == "confused" } }
    end
  end

  context "with an H2Admission that was changed" do
    it "asks a subclass's own methods" do
      admission = Class.new(HyperionRs::H2Admission) { def admit = false }.new(5)
      client = connect(listen(handler(app, h2_admission: admission)))
      client.write(Frames.headers(1))
      expect(client.wait_for_reset(1)).to eq(:refused_stream)
    end

    it "asks the object's own methods" do
      admission = HyperionRs::H2Admission.new(5)
      released = 0
      admission.define_singleton_method(:release) { super().tap { released += 1 } }
      client = connect(listen(handler(app, h2_admission: admission)))
      expect(get(client)).to eq(200)
      eventually("its release") { released == 1 && admission.stats[:in_flight].zero? }
    end
  end

  [HyperionRs::H2Admission, RecordingAdmission].each do |kind|
    it "answers clients of HTTP/1.1 with 503 beyond the cap of #{kind}" do
      admission = kind.new(1)
      server = listen(handler(app, h2_admission: admission))
      client = connect(server)
      hold(client, 1)
      entered.pop
      response = curl(server.url, "--http1.1")
      expect(response.status).to eq(503)
      expect(response["retry-after"]).not_to be_empty
      gate << "done"
      client.wait_for_end(1)
      eventually("the slot") { admission.stats[:in_flight].zero? }
      expect(curl(server.url, "--http1.1").status).to eq(200)
    end
  end

  it "has no cap without one" do
    client = connect(listen(handler(app)))
    streams = (1..99).step(2).to_a
    hold(client, *streams)
    expect(client.resets).to be_empty
    streams.size.times { gate << "done" }
    streams.each { |stream| client.wait_for_end(stream) }
  end
end
