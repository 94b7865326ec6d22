# frozen_string_literal: true

require "json"
require "shellwords"

RSpec.describe "bench/" do
  def bench(command, *arguments, within: 120)
    ChildProcess.run(RbConfig.ruby, File.join(ServerProcess::ROOT, "bench", command), *arguments, within:)
  end

  # The gem as a peer: the library that is under test, and no build.
  let(:peer) do
    exe = File.join(ServerProcess::ROOT, "exe/hyperion-rs")
    "mine=#{[RbConfig.ruby, exe].shelljoin} -o 127.0.0.1 -p {port} --tls-cert {cert} --tls-key {key} {app}"
  end

  it "measures a peer that is given by its command line" do
    json = File.join(temporary_directory, "results.json")
    result = bench("run", "--peer", peer, "--only", "mine", "--runs", "1", "-n", "50", "--json", json)

    expect(result.status).to be_success, result.err
    expect(result.out).to match(/\| headers \| -c8 -m32 +\| mine +\| h2 /)
    expect(JSON.parse(File.read(json))["rows"]).to have_attributes(size: 6).and all(include("failed" => 0))
  end

  it "says what is wrong in one line" do
    ends = {
      %w[--only nobody] => "bench/run: --only: no nobody; there are hyperion-rs, echo.rs, puma\n",
      %w[--runs 0] => "bench/run: --runs must be more than 0\n",
      %w[--wrong] => "bench/run: invalid option: --wrong\n",
      %w[--peer mine=true] => "bench/run: --peer \"mine=true\": give NAME=COMMAND, with {port} in the command\n"
    }
    ends.each do |arguments, line|
      result = bench("run", *arguments)
      expect([result.status.exitstatus, result.err]).to eq([1, line])
    end
  end

  it "shows the output of a server that ends" do
    result = bench("run", "--peer", "broken=sh -c 'echo no such luck; exit 3' {port}", "--only", "broken")

    expect(result.status.exitstatus).to eq(1)
    expect(result.err).to match(%r{\Abench/run: broken hello ended; its output \(.*\):\nno such luck\n})
  end
end
