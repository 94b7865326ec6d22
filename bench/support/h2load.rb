# frozen_string_literal: true

require "timeout"
require_relative "failure"

module Bench
  # So many connections, with so many requests at once on each.
  Load = Struct.new(:connections, :streams) do
    def to_s
      "-c#{connections} -m#{streams}"
    end

    # HTTP/1.1 has no streams: as many requests at once take as many connections.
    def arguments(protocol)
      return ["-c#{connections}", "-m#{streams}"] if protocol == "h2"

      ["--h1", "-c#{connections * streams}", "-m1"]
    end
  end

  # One load of one URL by h2load.
  class H2load
    # What h2load tells: requests a second, requests answered and failed, and the mean time of one in µs.
    Result = Struct.new(:rate, :done, :failed, :mean)

    # Seconds after which a run counts as hung.
    DEADLINE = 300
    # Requests that tell a first rate.
    PROBE = 1000
    # Seconds of load before what counts.
    WARM_UP = 0.5
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

      Result.new(rate.to_f, requests[1].to_i, requests[3].to_i, time[1].to_f * MICROSECONDS.fetch(time[2]))
    end

    def initialize(url, load, protocol, headers: {})
      @url = url
      @load = load
      @protocol = protocol
      @headers = headers.flat_map { |name, value| ["-H", "#{name}: #{value}"] }
    end

    # Makes so many requests, or a few more: one for each that is open at once, at least.
    def run(requests)
      raise Failure, "h2load is missing: run bin/setup" unless Bench.installed?("h2load")

      count = [requests, @load.connections * @load.streams].max
      self.class.parse(capture("h2load", "-n#{count}", *@load.arguments(@protocol), *@headers, @url))
    end

    # Fills caches and starts threads; answers how many requests take about so many seconds. (h2load's own --duration
    # has no end when a server leaves a connection without an answer, as Puma does.)
    def warm_up(seconds)
      rate = run(PROBE).rate
      rate = run((rate * [seconds, WARM_UP].min).round).rate
      (rate * seconds).round
    end

    private

    def capture(*command)
      IO.popen(command, err: %i[child out]) do |output|
        Timeout.timeout(DEADLINE) { output.read }
      rescue Timeout::Error
        Process.kill(:KILL, output.pid)
        raise Failure, "no end of: #{command.join(' ')}"
      end
    end
  end
end
