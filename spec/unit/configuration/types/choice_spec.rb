# frozen_string_literal: true

RSpec.describe HyperionRs::Configuration::Types::Choice do
  subject(:type) { described_class.new("debug", "info", "warn") }

  it "takes its words, as symbols too and in any case" do
    ["warn", :warn, "WARN", " warn "].each { |raw| expect(type).to parse(raw).as("warn") }
  end

  it "refuses other words" do
    ["", "warning", nil, true].each { |raw| expect(type).to refuse(raw) }
  end

  it "lists its words" do
    expect(type.allowed).to eq("debug, info or warn")
    expect(described_class.new("dev").allowed).to eq("only dev")
  end
end
