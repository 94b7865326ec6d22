# frozen_string_literal: true

RSpec.describe HyperionRs::Configuration::Types::Threads do
  subject(:type) { described_class.new }

  it "takes a minimum and a maximum" do
    expect(type).to parse("4:16").as(4..16)
    expect(type).to parse(" 1 : 2 ").as(1..2)
    expect(type).to parse([4, 16]).as(4..16)
    expect(type).to parse(4..16).as(4..16)
  end

  it "takes one number for both" do
    expect(type).to parse(8).as(8..8)
    expect(type).to parse("8").as(8..8)
  end

  it "counts a minimum of 0 as 1" do
    expect(type).to parse("0:4").as(1..4)
  end

  it "refuses a minimum above the maximum, and no threads at all" do
    ["16:4", "0", 0, "0:0", -1, [4, 2]].each { |raw| expect(type).to refuse(raw) }
  end

  it "refuses more threads than a process can use" do
    expect(type).to parse("1:1024").as(1..1024)
    expect(type).to refuse("1:1025")
  end

  it "refuses what is no number" do
    ["", "4:", ":4", "4-16", "4:8:16", "a:b", nil, true, 1.5, [], [1, 2, 3], %w[a b]].each do |raw|
      expect(type).to refuse(raw)
    end
  end
end
