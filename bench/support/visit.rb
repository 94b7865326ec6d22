# frozen_string_literal: true

module Bench
  # One run of one load. `cpu` is µs a request by process name, `threads` the same by the names of threads, `rss` KiB
  # after the run, times are in µs.
  Sample = Struct.new(:server, :app, :load, :protocol, :rate, :requests, :failed, :cpu, :threads, :rss, :mean, :p50,
                      :p99, keyword_init: true)

  # A server that runs an app, while it is measured.
  class Visit
    attr_reader :server, :app, :path, :seconds, :requests
    # The best rate so far.
    attr_reader :peak

    # `requests` is how many to make, when it shall not be a time.
    def initialize(server, app, path, seconds:, requests: nil)
      @server = server
      @app = app
      @path = path
      @seconds = seconds
      @requests = requests
    end

    def url = server.url(path)

    def protocol = server.protocol

    # A Sample of the load that the block makes; the block answers a Result.
    def counting
      before = cpu
      result = yield
      server.check
      used = cpu.zip(before).map { |now, was| per_request(was, now, result.done) }
      @peak = [@peak, result.rate].compact.max
      Sample.new(protocol:, cpu: used[0], threads: used[1], rss: server.rss, requests: result.done,
                 **result.to_h.slice(:rate, :failed, :mean, :p50, :p99))
    end

    private

    # By process, and by thread.
    def cpu = [server.cpu, server.thread_cpu]

    def per_request(before, after, count)
      after.to_h { |name, seconds| [name, (seconds - before.fetch(name, 0.0)) * 1e6 / count] }
    end
  end
end
