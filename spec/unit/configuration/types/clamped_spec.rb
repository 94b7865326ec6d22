# frozen_string_literal: true

RSpec.describe HyperionRs::Configuration::Types::Clamped do
  subject(:type) do
    described_class.new("max_frame_size", 0x4000..0xFFFFFF, type: HyperionRs::Configuration::Types::Bytes)
  end

  def notices_of(raw)
    [].tap { |notices| type.parse(raw) { |notice| notices << notice.to_h } }
  end

  it "takes what is within its range, without a notice" do
    expect(type).to parse("16KiB").as(16_384)
    expect(notices_of("16KiB")).to be_empty
  end

  it "moves what is below to the minimum, and says so" do
    expect(type).to parse(1000).as(16_384)
    expect(notices_of(1000))
      .to eq([{ message: "h2 max_frame_size below spec minimum; clamping", configured: 1000, clamped_to: 16_384 }])
  end

  it "moves what is above to the maximum, and says so" do
    expect(type).to parse("1GiB").as(16_777_215)
    expect(notices_of("1GiB"))
      .to eq([{ message: "h2 max_frame_size above spec maximum; clamping", configured: 1 << 30,
                clamped_to: 16_777_215 }])
  end

  it "clamps negative numbers" do
    expect(type).to parse("-5").as(16_384)
  end

  it "refuses what is no number" do
    ["x", "", nil, 1.5].each { |raw| expect(type).to refuse(raw) }
  end
end
