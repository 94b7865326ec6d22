# frozen_string_literal: true

require_relative "../../../bench/support/targets"

RSpec.describe Bench::Targets do
  def row(app, load, server, **figures)
    { app:, load:, server:, rate: 0, p50: nil, p99: nil, cpu_by_thread: {}, **figures }
  end

  def kase(name, server, value)
    { name:, server:, value: }
  end

  # The last column, by what the first one begins with.
  def measured(rows, cases, measure)
    line = described_class.new(rows, cases).table.to_s.lines.grep(/\A\| #{Regexp.escape(measure)}/).fetch(0)
    Float(line.split("|").map(&:strip)[3])
  end

  it "takes the app's own time, and that of the core's threads, from the Ruby threads" do
    # 3 µs for hello and 10 µs for headers are the apps'.
    rows = [row("hello", "-c1 -m100", "hyperion-rs", cpu_by_thread: { "hyperion-io" => 9.0, "hyperion-rs 1" => 7.0 }),
            row("headers", "-c1 -m100", "hyperion-rs",
                cpu_by_thread: { "hyperion-io" => 9.0, "hyperion-rs 1" => 16.4 })]
    cases = [kase("alone hello", "hyperion-rs", 1e6 / 3), kase("alone headers", "hyperion-rs", 1e5)]

    expect(measured(rows, cases, "Ruby threads above the app")).to eq(4.0)
    expect(measured(rows, cases, "and for each further")).to eq(0.1)
  end

  it "compares latencies in their units" do
    rows = [row("hello", "-c1 -m1", "hyperion-rs", p50: 70.0), row("hello", "-c1 -m1", "echo.rs", p50: 40.0),
            row("hello", "half of peak", "hyperion-rs", p99: 2345.0)]

    expect(measured(rows, [], "median latency")).to eq(30)
    expect(measured(rows, [], "p99 at half")).to eq(2.35)
  end

  it "tells how far the cost of a request spreads" do
    cases = [1, 10, 100, 1000].zip([10.0, 11.0, 8.0, 12.0]).map do |count, cost|
      kase("scaling -c#{count} -m1", "hyperion-rs", cost)
    end

    expect(measured([], cases, "CPU a request, most to least, 1 to 1 000")).to eq(1.5)
  end

  it "has no table when nothing of it was measured" do
    expect(described_class.new([row("sleep", "-c8 -m32", "puma")], []).table).to be_nil
  end
end
