# frozen_string_literal: true

RSpec.describe HyperionRs::Configuration::Types::BindList do
  subject(:type) { described_class.new }

  it "takes one address, a list, and a string with commas" do
    expect(type).to parse("tcp://0.0.0.0:80").as(["tcp://0.0.0.0:80"])
    expect(type).to parse(%w[tcp://a:1 tcp://b:2]).as(%w[tcp://a:1 tcp://b:2])
    expect(type).to parse("tcp://a:1, unix:///run/x.sock").as(%w[tcp://a:1 unix:///run/x.sock])
  end

  it "takes IPv6 addresses in brackets" do
    expect(type).to parse("tcp://[::1]:443").as(["tcp://[::1]:443"])
  end

  it "makes unix paths absolute" do
    expect(type).to parse("unix://tmp/app.sock").as(["unix://#{Dir.pwd}/tmp/app.sock"])
  end

  it "names an address once" do
    expect(type).to parse("tcp://a:1,tcp://a:1/").as(["tcp://a:1"])
  end

  it "refuses other schemes, missing ports and impossible ones" do
    ["", [], "ssl://a:1", "http://a:1", "a:1", "tcp://a", "tcp://a:", "tcp://a:65536", "tcp://a:x", "tcp://:1",
     "tcp://::1:80", "unix://", "unix:///x?umask=0", nil, [nil], 9292].each { |raw| expect(type).to refuse(raw) }
  end
end
