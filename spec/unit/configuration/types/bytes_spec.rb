# frozen_string_literal: true

RSpec.describe HyperionRs::Configuration::Types::Bytes do
  subject(:type) { described_class.new(0..(1 << 40)) }

  it "takes numbers of bytes" do
    expect(type).to parse(4096).as(4096)
    expect(type).to parse("4096").as(4096)
    expect(type).to parse("0").as(0)
  end

  it "takes binary units in any case, with or without a space" do
    expect(type).to parse("512B").as(512)
    expect(type).to parse("64KiB").as(65_536)
    expect(type).to parse("16 MiB").as(16_777_216)
    expect(type).to parse("1gib").as(1_073_741_824)
    expect(type).to parse("1TiB").as(1_099_511_627_776)
  end

  it "refuses decimal and ambiguous units, fractions and negatives" do
    ["64KB", "64K", "64k", "1.5MiB", "-1KiB", "KiB", "", "1 000", 1.5, nil, true].each do |raw|
      expect(type).to refuse(raw)
    end
  end

  it "refuses what is outside its range, whatever the unit" do
    expect(described_class.new(1024..2048)).to refuse("1023")
    expect(described_class.new(1024..2048)).to refuse("3KiB")
  end

  it "shows a size in the largest unit that divides it" do
    expect([0, 512, 1536, 65_536, 1 << 30].map { |size| type.format(size) })
      .to eq(["0", "512", "1536", "64 KiB", "1 GiB"])
  end
end
