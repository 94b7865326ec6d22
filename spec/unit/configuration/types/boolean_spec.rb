# frozen_string_literal: true

RSpec.describe HyperionRs::Configuration::Types::Boolean do
  subject(:type) { described_class.new }

  it "takes the words for yes" do
    [true, 1, "on", "ON", "true", "yes", " 1 "].each { |raw| expect(type).to parse(raw).as(true) }
  end

  it "takes the words for no" do
    [false, 0, "off", "False", "no", "0"].each { |raw| expect(type).to parse(raw).as(false) }
  end

  it "refuses everything else" do
    [nil, "", "maybe", 2, "enabled", "t"].each { |raw| expect(type).to refuse(raw) }
  end
end
