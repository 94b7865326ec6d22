# frozen_string_literal: true

RSpec.describe HyperionRs::Configuration::Types::Text do
  subject(:type) { described_class.new(/\A[\w.-]+\z/, allowed: "a word", placeholder: "NAME") }

  it "takes strings and symbols that match" do
    expect(type).to parse("production").as("production")
    expect(type).to parse(:test).as("test")
  end

  it "refuses the rest" do
    ["", "a b", "a\n", "a\r\nx: y", nil, 5, true].each { |raw| expect(type).to refuse(raw) }
  end
end
