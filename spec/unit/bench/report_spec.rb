# frozen_string_literal: true

require "json"
require_relative "../../../bench/support/comparison"
require_relative "../../../bench/support/report"

RSpec.describe Bench::Report do
  def sample(server, rate, cpu)
    Bench::Sample.new(server:, app: "hello", load: "-c1 -m1", protocol: "h2", rate:, requests: 10, failed: 1,
                      cpu:, rss: 2048, mean: 5.0)
  end

  let(:report) do
    described_class.new([sample("a", 1000.0, "ruby" => 10.0), sample("b", 7.0, "nginx" => 1.0, "ruby" => 2.0),
                         sample("a", 1300.0, "ruby" => 30.0), sample("a", 1100.0, "ruby" => 20.0)])
  end

  it "takes the median of the runs, and their range for the spread" do
    expect(report.rows.first).to include(server: "a", rate: 1100, spread: 27.3, rates: [1000, 1300, 1100], cpu: 20.0,
                                         requests: 30, failed: 3)
  end

  it "adds up the CPU time of a server's processes" do
    expect(report.rows.last).to include(cpu: 3.0, cpu_by_process: { "nginx" => 1.0, "ruby" => 2.0 })
  end

  it "halves the middle two of an even number of runs" do
    expect(described_class.median([4.0, 1.0, 2.0, 3.0])).to eq(2.5)
  end

  it "prints a Markdown table" do
    lines = report.table.lines(chomp: true)

    expect(lines.map(&:size).uniq.size).to eq(1)
    expect(lines[0]).to match(/\A\| app +\| load +\| server /)
    expect(lines[1]).to match(/\A\| -+ \| .* -+: \|\z/)
    expect(lines[2]).to match(/\| a +\| h2 +\| +1 100 \| +27 % \|/)
  end

  it "writes all figures as JSON" do
    path = File.join(temporary_directory, "new/results.json")
    report.write(path, runs: 3)

    expect(JSON.parse(File.read(path))).to include("runs" => 3, "machine" => include("cpus"),
                                                   "rows" => [include("server" => "a"), include("server" => "b")])
  end
end
