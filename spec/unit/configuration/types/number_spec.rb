# frozen_string_literal: true

RSpec.describe HyperionRs::Configuration::Types::Number do
  subject(:type) { described_class.new(1..1_000) }

  it "takes whole numbers and their strings" do
    expect(type).to parse(7).as(7)
    expect(type).to parse("7").as(7)
    expect(type).to parse(" 1_000 ").as(1000)
    expect(type).to parse("007").as(7)
  end

  it "refuses what is outside its range" do
    [0, "0", 1001, "1001", -1, "-1"].each { |raw| expect(type).to refuse(raw) }
  end

  it "refuses what is no whole number" do
    ["", "x", "7x", "7.5", 7.5, "1e3", "0x10", nil, true, [7], "7\n8", "_7"].each { |raw| expect(type).to refuse(raw) }
  end

  it "says its range" do
    expect(type.allowed).to eq("a whole number from 1 to 1000")
  end
end
