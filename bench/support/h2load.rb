# frozen_string_literal: true

require "tempfile"
require "timeout"
require_relative "failure"
require_relative "result"

module Bench
  # One load of one URL by h2load.
  class H2load
    # Seconds after which a run counts as hung.
    DEADLINE = 300
    # Seconds after which a connection without an answer is given up, and its requests have failed.
    SILENCE = 5
    # The same where nothing is timed, and every request counts.
    COUNTED_SILENCE = 120
    # Requests that tell a first rate.
    PROBE = 200
    RATE = %r{^finished in \S+, ([\d.]+) req/s}
    REQUESTS = /^requests: .* (\d+) done, (\d+) succeeded, (\d+) failed/
    # Minimum, maximum, mean; in later releases minimum, maximum, median, p95, p99, mean.
    TIMES = /^(?:time for request: +(?:\S+ +){2}|request +: +(?:\S+ +){5})([\d.]+)(us|ms|s)\b/
    MICROSECONDS = { "us" => 1.0, "ms" => 1e3, "s" => 1e6 }.freeze

    # The Result of what h2load printed.
    def self.parse(output)
      rate = output[RATE, 1]
      requests = output.match(REQUESTS)
      time = output.match(TIMES)
      raise Failure, "h2load got no answer:\n#{output}" unless rate && time && requests && requests[2].to_i.positive?

      Result.new(rate: rate.to_f, done: requests[1].to_i, failed: requests[3].to_i,
                 mean: time[1].to_f * MICROSECONDS.fetch(time[2]))
    end

    # `arguments` are further ones of h2load.
    def initialize(url, load, protocol, arguments = [], silence: SILENCE)
      @load = load
      @command = ["-N#{silence}s", *load.arguments(protocol), *arguments, url]
    end

    # Makes so many requests, or a few more: one for each that is open at once, at least.
    def run(requests)
      raise Failure, "h2load is missing: run bin/setup" unless Bench.installed?("h2load")

      count = [requests, @load.least].max
      # Where requests are many, writing each one down would cost more than some servers do.
      @load.single? ? logged(count) : self.class.parse(capture("-n#{count}"))
    end

    # The same for figures that are divided by the number of requests: each has to be answered.
    def run_all(requests)
      result = run(requests)
      return result if result.done == requests && result.failed.zero?

      raise Failure, "h2load: #{result.done} of #{requests} requests were answered, #{result.failed} failed"
    end

    # Fills caches and starts threads; answers how many requests take about so many seconds. (h2load's own --duration
    # has no end when a server leaves a connection without an answer, as Puma does.)
    def warm_up(seconds, warm_up)
      rate = run(PROBE).rate
      rate = run((rate * [seconds, warm_up].min).round).rate
      (rate * seconds).round
    end

    private

    # With h2load's log: start, status and µs of each request.
    def logged(count)
      Tempfile.create("h2load") do |log|
        result = self.class.parse(capture("-n#{count}", "--log-file=#{log.path}"))
        times = log.each_line.map { |line| Integer(line.split("\t")[2], 10) }.sort
        result.p50, result.p99 = [0.5, 0.99].map { |share| times[((times.size - 1) * share).round] }
        result
      end
    end

    def capture(*arguments)
      command = ["h2load", *arguments, *@command]
      IO.popen(command, err: %i[child out]) do |output|
        Timeout.timeout(DEADLINE) { output.read }
      rescue Timeout::Error
        Process.kill(:KILL, output.pid)
        raise Failure, "no end of: #{command.join(' ')}"
      end
    end
  end
end
