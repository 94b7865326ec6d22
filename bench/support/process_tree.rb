# frozen_string_literal: true

require "etc"

module Bench
  # The CPU time and memory of a process and its descendants, from /proc.
  class ProcessTree
    TICKS_PER_SECOND = Etc.sysconf(Etc::SC_CLK_TCK)
    # Fields of /proc/PID/stat after the name, which stands in parentheses (proc(5), counted from 3).
    PARENT = 4 - 3
    UTIME = 14 - 3
    STIME = 15 - 3

    Member = Struct.new(:pid, :name, :parent, :ticks)

    def initialize(pid)
      @pid = pid
    end

    # Seconds of CPU used so far, user and system, by process name.
    def cpu
      members.group_by(&:name).transform_values { |group| group.sum(&:ticks).fdiv(TICKS_PER_SECOND) }
    end

    # The same by the names of threads; those that have ended are not in it.
    def thread_cpu
      threads = members.flat_map { |member| stats("/proc/#{member.pid}/task/[0-9]*/stat") }
      threads.group_by(&:name).transform_values { |group| group.sum(&:ticks).fdiv(TICKS_PER_SECOND) }
    end

    # Resident memory in KiB.
    def rss
      members.sum { |member| File.read("/proc/#{member.pid}/status")[/^VmRSS:\s+(\d+) kB/, 1].to_i }
    end

    private

    def members
      all = stats("/proc/[0-9]*/stat")
      children = all.group_by(&:parent)
      found = all.select { |member| member.pid == @pid }
      # Grows while it is walked.
      found.each { |member| found.concat(children.fetch(member.pid, [])) }
    end

    def stats(pattern)
      Dir.glob(pattern).filter_map { |path| read(path) }
    end

    def read(path)
      pid, name, rest = File.read(path).match(/\A(\d+) \((.*)\) (.*)/m).captures
      fields = rest.split
      Member.new(pid.to_i, name, fields[PARENT].to_i, fields[UTIME].to_i + fields[STIME].to_i)
    rescue Errno::ENOENT, Errno::ESRCH
      # It ended after the directory was listed.
      nil
    end
  end
end
