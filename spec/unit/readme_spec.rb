# frozen_string_literal: true

require_relative "../../rakelib/readme"

RSpec.describe Readme do
  it "finds the table of options in README.md up to date (else: rake docs:options)" do
    expect(File.read(described_class::PATH, encoding: "UTF-8")).to eq(described_class.current)
  end
end
