# frozen_string_literal: true

require "hyperion_rs/failure"
require "stringio"

RSpec.describe HyperionRs::Failure do
  def report(error, debug: false)
    StringIO.new.tap { |output| described_class.report(error, debug:, output:) }.string
  end

  it "is one line" do
    expect(report(HyperionRs::BindError.new("cannot listen:\n  in use"))).to eq("hyperion-rs: cannot listen: in use\n")
  end

  it "shows the backtrace and the causes with debug" do
    error = begin
      begin
        Integer("x")
      rescue ArgumentError
        raise HyperionRs::AppLoadError, "why"
      end
    rescue HyperionRs::Error => e
      e
    end
    expect(report(error, debug: true)).to start_with("hyperion-rs: why\n").and include("ArgumentError", __FILE__)
  end
end
