# frozen_string_literal: true

RSpec.describe HyperionRs::Configuration::Types::Output do
  subject(:type) { described_class.new }

  it "takes a path, or a dash for standard output" do
    expect(type).to parse("log/access.log").as("#{Dir.pwd}/log/access.log")
    expect(type).to parse("-").as("-")
  end

  it "refuses what is no path" do
    ["", "a\0b", nil, 1].each { |raw| expect(type).to refuse(raw) }
  end
end
