# frozen_string_literal: true

RSpec.describe HyperionRs::Configuration::Types::Duration do
  subject(:type) { described_class.new(0.001..3600.0) }

  it "takes seconds as numbers and strings" do
    expect(type).to parse(10).as(10.0)
    expect(type).to parse(2.5).as(2.5)
    expect(type).to parse(Rational(1, 2)).as(0.5)
    expect(type).to parse("10").as(10.0)
    expect(type).to parse("2.5").as(2.5)
  end

  it "takes the units s and ms" do
    expect(type).to parse("10s").as(10.0)
    expect(type).to parse(" 1.5 s ").as(1.5)
    expect(type).to parse("500ms").as(0.5)
  end

  it "refuses what is no duration" do
    ["", "s", "10m", "1h", "-1", ".5", "1,5", "ten", nil, true, "off", Float::NAN, Float::INFINITY, Complex(1, 1)]
      .each { |raw| expect(type).to refuse(raw) }
  end

  it "refuses what is outside its range" do
    [0, "0.5ms", 3601, "3600.1s"].each { |raw| expect(type).to refuse(raw) }
  end

  it "takes off as nil only when it is optional" do
    optional = described_class.new(0.001..3600.0, optional: true)
    ["off", "none", "false", false].each { |raw| expect(optional).to parse(raw).as(nil) }
    expect(optional).to parse("5s").as(5.0)
    expect(optional.allowed).to end_with("or off")
  end

  it "shows durations with their unit" do
    expect([nil, 0.0, 0.25, 1.0, 2.5].map { |seconds| type.format(seconds) })
      .to eq(["off", "0 s", "250 ms", "1 s", "2.5 s"])
  end
end
