# frozen_string_literal: true

require "pathname"

RSpec.describe HyperionRs::Configuration::Types::Path do
  subject(:type) { described_class.new }

  it "makes paths absolute" do
    expect(type).to parse("a/../cert.pem").as("#{Dir.pwd}/cert.pem")
    expect(type).to parse(Pathname("/etc/key.pem")).as("/etc/key.pem")
    expect(type).to parse("~/x").as("#{Dir.home}/x")
  end

  it "refuses blanks, NUL, unknown homes and other objects" do
    ["", " ", "a\0b", "~no-such-user-here/x", nil, true, 5].each { |raw| expect(type).to refuse(raw) }
  end
end
