# frozen_string_literal: true

require "logger"
require "stringio"

RSpec.describe HyperionRs::Signals do
  let(:log) { StringIO.new }
  let(:server) { DrainingServer.new(Logger.new(log), Latch.new) }

  before do
    # In a trap handler no lock can be taken.
    stub_const("DrainingServer", Struct.new(:logger, :drained) do
      def shutdown = Thread.new { drained.open }
      def reopen_logs = Thread.new { drained.open }
    end)
  end

  def signal(name)
    Process.kill(name, Process.pid)
  end

  %w[INT TERM].each do |name|
    it "drains the server at SIG#{name}, and says so" do
      described_class.handle(server) do
        signal(name)
        server.drained.wait
      end
      expect(log.string).to include("SIG#{name}: finishing requests in flight; again to drop them")
    end
  end

  it "reopens the logs at SIGUSR1, and goes on" do
    described_class.handle(server) do
      signal("USR1")
      server.drained.wait
    end
    expect(log.string).to eq("")
  end

  it "ends the process by the signal that comes second" do
    expect do
      described_class.handle(server) do
        signal("INT")
        server.drained.wait
        signal("TERM")
        IO.select(nil, nil, nil, 30)
      end
    end.to raise_error(SignalException, "SIGTERM")
  end

  it "takes a signal that comes twice at once for one" do
    # However long this thread takes between the two.
    stub_const("HyperionRs::Signals::ECHO", 60)
    described_class.handle(server) do
      signal("TERM")
      server.drained.wait
      signal("TERM")
      # Delivered before this returns: the main thread handles its own signals.
      Thread.pass
    end
    expect(log.string.lines.size).to eq(1)
  end

  it "lets an exception of the block through" do
    expect { described_class.handle(server) { raise IOError, "why" } }.to raise_error(IOError, "why")
  end

  it "restores the previous traps" do
    previous = -> {}
    original = Signal.trap("TERM", previous)
    described_class.handle(server) { :served }
    expect(Signal.trap("TERM", original)).to be(previous)
  end

  it "restores them after an exception too" do
    original = Signal.trap("TERM", "IGNORE")
    expect { described_class.handle(server) { raise "no" } }.to raise_error("no")
    expect(Signal.trap("TERM", original)).to eq("IGNORE")
  end
end
