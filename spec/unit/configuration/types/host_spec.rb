# frozen_string_literal: true

RSpec.describe HyperionRs::Configuration::Types::Host do
  subject(:type) { described_class.new }

  it "takes names and IPv4 addresses" do
    %w[localhost example.com my-host_1 127.0.0.1 0.0.0.0].each { |host| expect(type).to parse(host).as(host) }
  end

  it "takes IPv6 addresses, with or without brackets" do
    expect(type).to parse("::1").as("::1")
    expect(type).to parse("[::]").as("::")
    expect(type).to parse("fe80::1%eth0").as("fe80::1%eth0")
  end

  it "refuses URIs, paths, ports and blanks" do
    ["", " ", "/run/app.sock", "tcp://localhost", "localhost:80", "a b", "-x", "1::2::3", ":::", nil, 127,
     "a\nb"].each do |raw|
      expect(type).to refuse(raw)
    end
  end
end
