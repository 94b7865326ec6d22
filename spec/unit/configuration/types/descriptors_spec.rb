# frozen_string_literal: true

RSpec.describe HyperionRs::Configuration::Types::Descriptors do
  subject(:type) { described_class.new }

  it "takes numbers, one or several" do
    expect(type).to parse(7).as([7])
    expect(type).to parse("3, 14").as([3, 14])
    expect(type).to parse([3, "4", 3]).as([3, 4])
  end

  it "refuses the standard streams and what is no number" do
    ["", [], "2", -1, "three", "3,", nil, [nil]].each { |raw| expect(type).to refuse(raw) }
  end
end
