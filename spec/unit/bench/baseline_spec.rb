# frozen_string_literal: true

require "json"
require_relative "../../../bench/support/baseline"

RSpec.describe Bench::Baseline do
  let(:path) { File.join(temporary_directory, "baseline.json") }
  let(:baseline) { described_class.new("objects", path) }

  before { File.write(path, JSON.generate("objects" => { "few" => 100, "many" => 1000 }, "other" => { "one" => 1 })) }

  it "accepts what has not grown, or by little" do
    expect { baseline.check("few" => 105, "many" => 10) }.not_to raise_error
  end

  it "refuses what has grown, by name" do
    expect { baseline.check("few" => 106, "many" => 1000) }
      .to raise_error(Bench::Failure, "few: grown by more than 5 %")
  end

  it "refuses only what has grown both times when it can be measured again" do
    again = -> { { "few" => 106, "many" => 1000 } }
    expect { baseline.check("few" => 200, "many" => 2000, &again) }
      .to raise_error(Bench::Failure, "few: grown by more than 5 %")
  end

  it "measures nothing again that has not grown" do
    expect { |again| baseline.check("few" => 105, &again) }.not_to yield_control
  end

  it "refuses what it does not know" do
    expect { baseline.check("new" => 1) }.to raise_error(Bench::Failure, /no baseline of objects for new/)
  end

  it "shows both, and the growth" do
    expect(baseline.table("few" => 110, "new" => 1).lines(chomp: true).last(2))
      .to match([/\A\| few +\| +110 \| +100 \| \+10\.0 % \|\z/, /\A\| new +\| +1 \| +– \| +– \|\z/])
  end

  it "is updated without what it was not measured for" do
    baseline.update("few" => 7)
    expect(JSON.parse(File.read(path))).to eq("objects" => { "few" => 7, "many" => 1000 }, "other" => { "one" => 1 })
  end
end
