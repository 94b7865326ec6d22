# frozen_string_literal: true

require_relative "handler_helper"

RSpec.describe HyperionRs::Http2Handler, "h2_settings" do
  # What the SETTINGS frame of a connection says, by identifier.
  def advertised(handler)
    client = connect(listen(handler))
    frame = client.frames.find { |candidate| candidate.type == Frames::SETTINGS && candidate.flags.zero? }
    frame.payload.unpack("nN" * (frame.payload.bytesize / 6)).each_slice(2).to_h
  end

  def warnings
    logger.lines.select { |line| line[:level] == :warn }
  end

  it "advertises the defaults" do
    [nil, {}].each do |none|
      expect(advertised(handler(h2_settings: none))).to include(3 => 128, 4 => 1 << 20, 5 => 1 << 20, 6 => 64 << 10)
    end
    expect(warnings).to be_empty
  end

  it "advertises what it is given, and defaults for what is nil" do
    settings = { max_concurrent_streams: 7, initial_window_size: 70_000, max_frame_size: 20_000,
                 max_header_list_size: nil }
    expect(advertised(handler(h2_settings: settings))).to include(3 => 7, 4 => 70_000, 5 => 20_000, 6 => 64 << 10)
    expect(warnings).to be_empty
  end

  it "tells them as pairs of identifier and value, for what was written against the handler that it replaces" do
    expect(handler.send(:initial_settings_payload)).to eq([])
    settings = { max_concurrent_streams: 7, initial_window_size: nil, max_frame_size: 100 }
    expect(handler(h2_settings: settings).send(:initial_settings_payload)).to eq([[3, 7], [5, 16_384]])
  end

  it "takes names that are Strings" do
    expect(advertised(handler(h2_settings: { "max_concurrent_streams" => 9 }))).to include(3 => 9)
  end

  it "skips what is no name" do
    expect(advertised(handler(h2_settings: { 0x3 => 9, nil => 9 }))).to include(3 => 128)
    expect(warnings.map { |line| line[:setting] }).to eq([0x3, nil])
  end

  it "skips a setting that it does not know" do
    expect(advertised(handler(h2_settings: { enable_push: 1, max_concurrent_streams: 9 }))).to include(3 => 9)
    expect(warnings).to eq([{ level: :warn, message: "unknown h2 setting; skipping", setting: :enable_push }])
  end

  {
    max_frame_size: [[100, 0x4000, "below spec minimum"], [99_999_999, 0xFFFFFF, "above spec maximum"]],
    initial_window_size: [[0x80000000, 0x7FFFFFFF, "above spec maximum"]]
  }.each do |name, cases|
    cases.each do |configured, clamped_to, problem|
      it "clamps a #{name} that is #{problem}" do
        identifier = described_class::SETTINGS_KEY_MAP.fetch(name)
        expect(advertised(handler(h2_settings: { name => configured }))).to include(identifier => clamped_to)
        message = "h2 #{name} #{problem}; clamping"
        expect(warnings).to eq([{ level: :warn, message:, configured:, clamped_to: }])
      end
    end
  end

  it "takes the limits of the specification as they are" do
    handler(h2_settings: { max_frame_size: 0x4000, initial_window_size: 0x7FFFFFFF })
    handler(h2_settings: { max_frame_size: 0xFFFFFF })
    expect(warnings).to be_empty
  end

  it "refuses a value that is no number" do
    expect { handler(h2_settings: { max_frame_size: "much" }) }
      .to raise_error(HyperionRs::ConfigurationError, /h2_max_frame_size: "much".*h2_settings/)
  end

  it "comes before what the environment says" do
    with_environment("HYPERION_RS_H2_MAX_CONCURRENT_STREAMS" => "11", "HYPERION_RS_H2_MAX_FRAME_SIZE" => "30000") do
      expect(advertised(handler(h2_settings: { max_concurrent_streams: 7 }))).to include(3 => 7, 5 => 30_000)
    end
  end

  describe "what is advertised is enforced:" do
    let(:gate) { Thread::Queue.new }

    def client_of(**h2_settings)
      app = ->(env) { [200, {}, [env["PATH_INFO"] == "/held" ? gate.pop : "at once"]] }
      connect(listen(handler(app, h2_settings:)))
    end

    it "max_concurrent_streams" do
      client = client_of(max_concurrent_streams: 2)
      [1, 3, 5].each { |stream| client.write(Frames.headers(stream, Frames.request("/held"))) }
      expect(client.wait_for_reset(5)).to eq(:refused_stream)
      2.times { gate << "released" }
      [1, 3].each { |stream| client.wait_for_end(stream) }
    end

    it "max_frame_size" do
      client = client_of(max_frame_size: 0x4000)
      client.write(Frames.headers(1, body: true) + Frames.data(1, "x" * 0x4001))
      expect(client.wait_for_goaway).to eq(:frame_size_error)
    end

    it "initial_window_size" do
      client = client_of(initial_window_size: 2_000, max_concurrent_streams: 1)
      head = Frames.request(method: "POST", fields: { "content-type" => "application/grpc", "te" => "trailers" })
      client.write(Frames.headers(1, head, body: true) + Frames.data(1, "x" * 2_001))
      expect(client.wait_for_reset(1)).to eq(:flow_control_error)
    end

    it "max_header_list_size" do
      client = client_of(max_header_list_size: 2_000)
      client.write(Frames.headers(1, Frames.request(fields: { "x-long" => "x" * 3_000 })))
      expect(client.status(1)).to eq(431)
    end
  end
end
