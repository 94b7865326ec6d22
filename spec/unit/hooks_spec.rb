# frozen_string_literal: true

require "logger"
require "stringio"

RSpec.describe HyperionRs::Hooks do
  let!(:natives) { FakeNative.install(self) }
  let(:log) { StringIO.new }
  let(:server) do
    HyperionRs::Server.new(->(_env) { [204, {}, []] }, { host: "127.0.0.1", port: 0 },
                           logger: Logger.new(log), output: StringIO.new)
  end

  around do |example|
    kept = [described_class.serve.dup, described_class.drain.dup]
    in_temporary_directory { example.run }
  ensure
    described_class.serve.replace(kept[0])
    described_class.drain.replace(kept[1])
  end

  def run
    thread = Thread.new { server.run }
    natives.first&.running&.wait
    yield
    server.shutdown
    thread.join(30)
  end

  it "are called when the server begins to serve and when it begins to drain, once" do
    served = Queue.new
    drained = Latch.new
    HyperionRs.on_serve { |server| served << server }
    HyperionRs.on_drain { |server| drained.open(server) }
    server.bind
    run do
      2.times { server.restart }
      expect(drained.wait).to be(server)
    end
    expect([served.pop, served.empty?, drained.size]).to eq([server, true, 1])
  end

  it "do not keep each other from their work by failing" do
    drained = Latch.new
    HyperionRs.on_drain { raise "why" }
    HyperionRs.on_drain { drained.open }
    server.bind
    run { server.shutdown }
    drained.wait
    expect(log.string).to match(/ERROR.*hook at \S+hooks_spec\.rb:\d+: .*why/)
  end

  it "are not called for a server that never served" do
    HyperionRs.on_drain { raise "called" }
    server.shutdown
    expect(log.string).to be_empty
  end
end
