# frozen_string_literal: true

require_relative "child_process"
require_relative "frames"
require_relative "raw_connection"

# A server under attack: how long others waited meanwhile, and how much memory it took.
module Siege
  PROBE = [RbConfig.ruby, File.join(__dir__, "programs/probe.rb")].freeze
  # Milliseconds of CPU that the server may spend while a request on another connection waits. It is no matter of the
  # server's what else the machine is busy with.
  PROMPTLY = 500
  # Milliseconds for which such a request may wait on a busy machine: less than any default timeout.
  LONGEST = 8_000
  MIB = 1 << 20

  # Each of the waits is one of time and one of CPU.
  Report = Struct.new(:waits, :failures, :growth) do
    def self.of(output, growth)
      waits = output.scan(/^([\d.]+) ms, ([\d.]+) ms of CPU$/)
      new(waits.map { |wait| wait.map(&:to_f) }, output.scan(/^failed.*/), growth)
    end

    def to_s
      time, spent = waits.transpose.map(&:max)
      "#{waits.size} probes, the slowest took #{time} ms, another one #{spent} ms of CPU; failures: #{failures}; " \
        "memory grew by #{growth / MIB} MiB"
    end
  end

  # Runs an attack, the block, while a probe makes one request after another on fresh connections. Each has to be
  # served promptly, and the server may take `memory` more bytes at its peak than it held before.
  def besiege(server, memory:)
    probe = track(ChildProcess.new(*PROBE, server.pid.to_s, server.port.to_s, URI(server.url).scheme))
    probe.wait_for(/ CPU$/)
    before = start_watch(server.pid)
    yield
    growth = peak_memory(server.pid) - before
    probe.signal(:TERM)
    probe.wait(within: 30)
    expect_others_served(Report.of(probe.out, growth), memory)
  end

  # Bytes that a process holds.
  def memory(pid)
    process_status(pid, "VmRSS")
  end

  private

  def expect_others_served(report, memory)
    expect(report.failures).to be_empty, report.to_s
    time, spent = report.waits.transpose
    expect(time).to all(be < LONGEST), report.to_s
    expect(spent).to all(be < PROMPTLY), report.to_s
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
