# frozen_string_literal: true

RSpec.describe HyperionRs::Configuration::Layer do
  subject(:layer) { described_class.new }

  it "holds what was set, typed" do
    layer.set(:port, "80", "--port")
    expect([layer[:port].value, layer[:port].origin, layer[:host]]).to eq([80, "--port", nil])
  end

  it "takes the last of a repeated option" do
    layer.set(:port, "80", "-p")
    layer.set(:port, "81", "-p")
    expect(layer[:port].value).to eq(81)
  end

  it "adds up a repeated list" do
    layer.set(:bind, "tcp://a:1", "-b")
    layer.set(:bind, "unix:///b,tcp://a:1", "-b")
    expect(layer[:bind].value).to eq(%w[tcp://a:1 unix:///b])
  end

  it "merges a hash and leaves out what is nil" do
    layer.merge({ port: 80, "host" => "::1", tls: nil }) { |name| "option #{name}" }
    expect([layer[:port].value, layer[:host].origin, layer[:tls]]).to eq([80, "option host", nil])
  end

  it "names the nearest option for one that is unknown" do
    expect { layer.merge({ max_connection: 5 }) { "here" } }
      .to raise_error(HyperionRs::ConfigurationError,
                      "unknown option max_connection (from here); did you mean max_connections?")
  end

  it "points to the help when nothing is near" do
    expect { layer.merge({ zzz: 5 }) { "here" } }
      .to raise_error(HyperionRs::ConfigurationError, "unknown option zzz (from here); see hyperion-rs --help")
  end
end
