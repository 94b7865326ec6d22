# frozen_string_literal: true

require "json"
require "shellwords"

RSpec.describe "bench/" do
  def bench(command, *arguments, within: 300)
    ChildProcess.run(RbConfig.ruby, File.join(ServerProcess::ROOT, "bench", command), *arguments, within:)
  end

  # The gem as a peer: the library that is under test, and no build.
  let(:peer) do
    exe = File.join(ServerProcess::ROOT, "exe/hyperion-rs")
    "mine=#{[RbConfig.ruby, exe].shelljoin} -o 127.0.0.1 -p {port} --tls-cert {cert} --tls-key {key} {app}"
  end

  it "measures a peer that is given by its command line" do
    result = bench("run", "--peer", peer, "--only", "mine", "--no-cases", "--apps", "hello,post",
                   "--loads", "c1m1,c8m32", "--runs", "1", "-n", "50", "--output", temporary_directory)

    expect(result.status).to be_success, result.err
    expect(result.out).to match(/\| post  \| -c8 -m32 \| mine   \| h2 /)
    rows = JSON.parse(File.read(File.join(temporary_directory, "results.json")))["rows"]
    expect(rows).to have_attributes(size: 4).and all(include("failed" => 0))
  end

  it "says what is wrong in one line" do
    ends = {
      %w[--only nobody] => /--only: no nobody; there are hyperion-rs, echo\.rs, .*/,
      %w[--apps none] => /--apps: no none; there are hello, .*/,
      %w[--cases none] => /--cases: no none; there are .*idle/,
      %w[--loads c0m1] => /--loads: no c0m1; there are c1m1, .*cNmM/,
      %w[--runs 0] => /--runs must be more than 0/,
      %w[--wrong] => /invalid option: --wrong/,
      %w[--peer mine=true] => /--peer "mine=true": give NAME=COMMAND, with {port} in the command/
    }
    ends.each do |arguments, line|
      result = bench("run", *arguments)
      expect([result.status.exitstatus, result.err]).to match([1, %r{\Abench/run: #{line}\n\z}])
    end
  end

  it "shows the output of a server that ends" do
    # A load that needs no program of the core's.
    result = bench("run", "--peer", "broken=sh -c 'echo no such luck; exit 3' {port}", "--only", "broken", "--no-cases",
                   "--loads", "c1m1")

    expect(result.status.exitstatus).to eq(1)
    expect(result.err).to match(%r{\Abench/run: broken hello ended; its output \(.*\):\nno such luck\n})
  end
end
