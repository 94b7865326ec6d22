# frozen_string_literal: true

require_relative "child_process"
require_relative "frames"
require_relative "raw_connection"

# A server under attack: how long others waited meanwhile, and how much memory it took.
module Siege
  PROBE = [RbConfig.ruby, File.join(__dir__, "programs/probe.rb")].freeze
  # Milliseconds within which another connection has to be served throughout.
  PROMPTLY = 500
  MIB = 1 << 20

  Report = Struct.new(:waits, :failures, :growth) do
    def to_s
      "#{waits.size} probes, the slowest took #{waits.max} ms; failures: #{failures}; " \
        "memory grew by #{growth / MIB} MiB"
    end
  end

  # Runs an attack, the block, while a probe makes one request after another on fresh connections. Each has to be
  # served promptly, and the server may take `memory` more bytes at its peak than it held before.
  def besiege(server, memory:)
    probe = track(ChildProcess.new(*PROBE, server.port.to_s, URI(server.url).scheme))
    probe.wait_for(/ ms$/)
    before = start_watch(server.pid)
    yield
    growth = peak_memory(server.pid) - before
    probe.signal(:TERM)
    probe.wait(within: 10)
    report = Report.new(probe.out.scan(/^([\d.]+) ms$/).flatten.map(&:to_f), probe.out.scan(/^failed.*/), growth)
    expect_others_served(report, memory)
  end

  # Bytes that a process holds.
  def memory(pid)
    process_status(pid, "VmRSS")
  end

  private

  def expect_others_served(report, memory)
    expect(report.failures).to be_empty, report.to_s
    expect(report.waits.max).to be < PROMPTLY, report.to_s
    expect(report.growth).to be < memory, report.to_s
  end

  # Forgets the peak so far (proc(5), clear_refs); answers what the process holds now.
  def start_watch(pid)
    File.write("/proc/#{pid}/clear_refs", "5")
    memory(pid)
  end

  def peak_memory(pid)
    process_status(pid, "VmHWM")
  end

  def process_status(pid, field)
    Integer(File.read("/proc/#{pid}/status")[/^#{field}:\s+(\d+) kB$/, 1], 10) * 1024
  end
end
