# frozen_string_literal: true

require_relative "../../../bench/support/apps"
require_relative "../../../bench/support/loads"

RSpec.describe Bench::H2load do
  let(:output) do
    <<~TEXT
      Application protocol: h2

      finished in 504.75ms, 183858.00 req/s, 5.44MB/s
      requests: 91929 total, 92029 started, 91929 done, 91919 succeeded, 10 failed, 3 errored, 0 timeout
      status codes: 91919 2xx, 0 3xx, 0 4xx, 10 5xx
                           min         max         mean         sd        +/- sd
      time for request:      136us      5.44ms      1.52ms       297us    91.65%
      time for connect:     1.60ms      1.60ms      1.60ms         0us   100.00%
    TEXT
  end

  it "reads what a later h2load prints" do
    table = "request     :       29us      5.91ms        37us       309us      3.97ms       162us       610us    95.70%"
    later = output.sub(/^\s*time for request.*$/, table)
    expect(described_class.parse(later).mean).to eq(162.0)
  end

  it "reads what h2load prints" do
    expect(described_class.parse(output).to_h.compact)
      .to eq(rate: 183_858.0, done: 91_929, failed: 10, mean: 1520.0)
  end

  it "fails with the output when nothing succeeded" do
    nothing = output.sub("91919 succeeded", "0 succeeded")

    expect { described_class.parse(nothing) }.to raise_error(Bench::Failure, /no answer:\nApplication protocol/)
  end

  it "gives HTTP/1.1 a connection for every request at once" do
    load = Bench::Loads.find("c8m32", 0)

    expect(load.arguments("h2")).to eq(%w[-c8 -m32])
    expect(load.arguments("http/1.1")).to eq(%w[--h1 -c256 -m1])
  end
end
