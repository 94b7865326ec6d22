# frozen_string_literal: true

require "hyperion_rs"

RSpec.describe HyperionRs::Runtime do
  around do |example|
    before = described_class.default
    example.run
    described_class.default = before
  end

  it "has a default, which may be set and forgotten" do
    ours = described_class.new
    expect(ours).not_to be_default
    described_class.default = ours
    expect(described_class.default).to be(ours).and be_default
    described_class.reset_default!
    expect(described_class.default).not_to be(ours)
    expect(ours).not_to be_default
  end

  it "takes nothing else for a default" do
    expect { described_class.default = :metrics }.to raise_error(ArgumentError, /HyperionRs::Runtime: :metrics/)
  end

  it "makes a logger and counters of its own when it is given none" do
    ours, theirs = Array.new(2) { described_class.new }
    expect(ours.logger).to be_a(Logger)
    expect(ours.metrics).to be_a(HyperionRs::Metrics)
    expect(ours.metrics).to be(ours.metrics)
    expect(ours.metrics).not_to be(theirs.metrics)
  end
end
