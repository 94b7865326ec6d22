# frozen_string_literal: true

RSpec.describe "HyperionRs::Configuration::OPTIONS" do
  subject(:options) { HyperionRs::Configuration::OPTIONS }

  let(:environment) { HyperionRs::Configuration::Defaults.new({ "HOME" => "/home/app" }, "production") }

  # The limits that users and other documents rely on.
  {
    port: 9292, threads: 4..16, tls_handshake_timeout: 10.0, header_timeout: 10.0, body_timeout: 30.0,
    write_timeout: 30.0, keepalive_timeout: 60.0, shutdown_timeout: 30.0, ping_interval: nil, max_connections: 10_000,
    max_in_flight: 8192, max_body_size: 1 << 30, request_buffer: 1 << 20, response_buffer: 256 << 10,
    response_spill: 64 << 20, max_pending_bytes: 16 << 20, spill_limit: 4 << 30, request_buffering: true,
    h2_max_concurrent_streams: 128, h2_initial_window_size: 1 << 20, h2_max_frame_size: 1 << 20,
    h2_max_header_list_size: 64 << 10, early_hints: false, log_level: "info", debug: false
  }.each do |name, value|
    it "defaults #{name} to #{value.inspect}" do
      expect(options[name].default_setting(environment).value).to eql(value)
    end
  end

  it "gives every option a default that its own type takes" do
    expect { options.each { |option| option.default_setting(environment) } }.not_to raise_error
  end

  it "gives no two options the same flag" do
    flags = options.flat_map { |option| [option.flag, option.short].compact }
    expect(flags).to eq(flags.uniq)
  end

  it "derives every name from the option's name" do
    option = options[:tls_handshake_timeout]
    expect([option.flag, option.env_name]).to eq(%w[--tls-handshake-timeout HYPERION_RS_TLS_HANDSHAKE_TIMEOUT])
  end

  it "knows the unit of what a plain number counts" do
    expect(%i[header_timeout max_body_size max_in_flight h2_max_frame_size threads].map { |name| options[name].unit })
      .to eq(["seconds", "bytes", "requests", "bytes", nil])
  end

  it "makes a table with a row an option" do
    lines = options.to_markdown.lines
    expect(lines.size).to eq(options.count + 2)
    expect(lines).to include(/\A\| `max_body_size` \| 1 GiB \| bytes, .* \| largest request body/)
    expect(lines.map { |line| line.gsub("\\|", "").count("|") }.uniq).to eq([5])
  end
end
