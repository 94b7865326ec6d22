# frozen_string_literal: true

require "json"
require "rexml/document"
require_relative "../../../bench/support/cases"
require_relative "../../../bench/support/comparison"
require_relative "../../../bench/support/report"

RSpec.describe Bench::Report do
  def sample(server, rate, cpu, times = {})
    Bench::Sample.new(server:, app: "hello", load: "-c1 -m100", protocol: "h2", rate:, requests: 10, failed: 1,
                      cpu:, threads: cpu, rss: 2048, mean: 5.0, **times)
  end

  def figure(server, value)
    Bench::Figure.new(name: "download", server:, value:, unit: "MiB/s", failed: 0)
  end

  let(:samples) do
    [sample("hyperion-rs", 1000.0, { "ruby" => 10.0 }), sample("puma", 7.0, { "nginx" => 1.0, "ruby" => 2.0 }),
     sample("hyperion-rs", 1300.0, { "ruby" => 30.0 }, p99: 8.0), sample("hyperion-rs", 1100.0, { "ruby" => 20.0 })]
  end
  let(:report) { described_class.new(samples, [figure("hyperion-rs", 90.0), figure("nginx", 100.0)], runs: 3) }

  it "takes the median of the runs, and their range for the spread" do
    expect(report.rows.first).to include(server: "hyperion-rs", rate: 1100, spread: 27.3, rates: [1000, 1300, 1100],
                                         cpu: 20.0, p50: nil, p99: 8.0, requests: 30, failed: 3)
  end

  it "adds up the CPU time of a server's processes" do
    expect(report.rows.last).to include(cpu: 3.0, cpu_by_process: { "nginx" => 1.0, "ruby" => 2.0 })
  end

  it "halves the middle two of an even number of runs" do
    expect(Bench::Statistics.median([4.0, 1.0, 2.0, 3.0])).to eq(2.5)
  end

  it "prints Markdown tables of loads, of cases, and of what was to be reached" do
    loads, cases, targets, = report.text.split("\n\n").map { |table| table.lines(chomp: true) }

    expect(loads.map(&:size).uniq.size).to eq(1)
    expect(loads[0]).to match(/\A\| app +\| load +\| server /)
    expect(loads[1]).to match(/\A\| -+ \| .* -+: \|\z/)
    expect(loads[2]).to match(/\| hyperion-rs \| h2 +\| +1 100 \| +27 % \|.*\| +– \| +8 \| +2 \| +3 \|\z/)
    expect(cases).to include(/\A\| download \| nginx +\| MiB.s \| +100 \|/)
    expect(targets).to include(/\A\| hello .* to Puma +\| 10 +\| 157\.14 +\|/)
    expect(targets).to include(/\A\| 1 GiB file to nginx +\| 0\.8 +\| 0\.9 +/)
  end

  it "writes the table, all figures as JSON, and a plot" do
    directory = File.join(temporary_directory, "new")
    report.write(directory)

    expect(JSON.parse(File.read(File.join(directory, "results.json"))))
      .to include("runs" => 3, "machine" => include("cpus"),
                  "rows" => [include("server" => "hyperion-rs"), include("server" => "puma")],
                  "cases" => [include("value" => 90.0), include("value" => 100.0)])
    expect(File.read(File.join(directory, "table.md"))).to eq("#{report.text}\n")
    plot = REXML::Document.new(File.read(File.join(directory, "plot.svg")))
    expect(plot.get_elements("//rect").map { |bar| bar.attributes["class"] }).to eq(%w[ours other])
  end
end
