# frozen_string_literal: true

require_relative "handler_helper"

RSpec.describe HyperionRs::Http2Handler do
  it "has the constants of the handler that it replaces" do
    expect(described_class).to have_attributes(name: "HyperionRs::Http2Handler")
    expect(described_class::MAX_PER_CONN_PENDING_BYTES).to eq(16 * 1024 * 1024)
    expect(described_class::SETTINGS_KEY_MAP).to eq(max_concurrent_streams: 0x3, initial_window_size: 0x4,
                                                    max_frame_size: 0x5, max_header_list_size: 0x6)
    expect(described_class::SETTINGS_KEY_MAP).to be_frozen
    expect([described_class::H2_MIN_FRAME_SIZE, described_class::H2_MAX_FRAME_SIZE,
            described_class::H2_MAX_WINDOW_SIZE]).to eq([0x4000, 0xFFFFFF, 0x7FFFFFFF])
    expect([described_class::DISPATCH_POOL_DEFAULT, described_class::DISPATCH_POOL_MAX]).to eq([4, 16])
  end

  it "takes the keywords of the handler that it replaces, of which only the app is needed" do
    expect { described_class.new }.to raise_error(ArgumentError, /app/)
    expect { described_class.new(app: HandlerHelper::HELLO, bogus: 1) }.to raise_error(ArgumentError, /bogus/)
    described_class.new(app: HandlerHelper::HELLO, thread_pool: nil, h2_settings: nil, runtime:, h2_admission: nil)
  end

  it "says that it does not use a thread pool" do
    handler(thread_pool: Object.new)
    expect(logger.lines).to include(include(level: :warn, message: /thread_pool is not used/))
  end

  it "codes headers natively, always" do
    expect(handler).to have_attributes(codec_available?: true, codec_native?: true)
  end

  it "uses the default runtime when it is given none" do
    default = HyperionRs::Runtime.new(metrics:, logger:)
    allow(HyperionRs::Runtime).to receive(:default).and_return(default)
    server = listen(described_class.new(app: HandlerHelper::HELLO))
    expect(curl(server.url).status).to eq(200)
    expect(server.ended).to be_nil
    expect(metrics[:connections_accepted]).to eq(1)
  end

  it "refuses TLS that it cannot have" do
    expect { handler(tls: { cert: "/missing" }) }.to raise_error(HyperionRs::ConfigurationError, /key is missing/)
    expect { handler(tls: { cert: "/missing", key: "/missing" }) }
      .to raise_error(HyperionRs::ConfigurationError, %r{/missing})
    expect { handler(tls: true) }.to raise_error(HyperionRs::ConfigurationError, /tls: true/)
  end

  it "leaves alone the TLS that the environment asks of servers" do
    with_environment("HYPERION_RS_TLS" => "dev") do
      server = listen(handler)
      expect(curl(server.url).body).to eq("hello /")
    end
  end

  it "takes its limits from the configuration of servers" do
    with_environment("HYPERION_RS_MAX_BODY_SIZE" => "10") do
      server = listen(handler)
      expect(curl(server.url, "-d", "x" * 11).status).to eq(413)
    end
  end
end
