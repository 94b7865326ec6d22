# frozen_string_literal: true

RSpec.describe HyperionRs::Configuration::Option do
  subject(:option) { HyperionRs::Configuration::OPTIONS[:header_timeout] }

  it "types a value and keeps its origin" do
    setting = option.parse("500ms", "--header-timeout")
    expect([setting.value, setting.origin, setting.notices]).to eq([0.5, "--header-timeout", []])
  end

  it "refuses with the option, the value, the origin and what is allowed" do
    expect { option.parse("soon", "HYPERION_RS_HEADER_TIMEOUT") }.to raise_error(
      HyperionRs::ConfigurationError,
      'header_timeout: "soon" (from HYPERION_RS_HEADER_TIMEOUT) is not allowed; ' \
      "allowed: seconds, such as 10, 2.5, 10s or 500ms, from 1 ms to 86400 s"
    )
  end

  it "refuses a buffer that no response fits through" do
    expect { HyperionRs::Configuration::OPTIONS[:response_buffer].parse("16383", "test") }
      .to raise_error(HyperionRs::ConfigurationError, /from 16 KiB to 1 GiB/)
  end

  it "carries the notices of its type" do
    setting = HyperionRs::Configuration::OPTIONS[:h2_initial_window_size].parse(2**31, "test")
    expect(setting.notices.map(&:to_s))
      .to eq(["h2 initial_window_size above spec maximum; clamping configured=2147483648 clamped_to=2147483647"])
  end

  it "shows its default with its unit" do
    names = %i[header_timeout backlog host tls_cert ping_interval threads]
    expect(names.map { |name| HyperionRs::Configuration::OPTIONS[name].default_text })
      .to eq(["10 s", "1024 connections", "localhost in development, else 0.0.0.0", "none", "off", "4:16"])
  end
end
