# frozen_string_literal: true

require_relative "certificate"
require_relative "failure"
require_relative "h2load"
require_relative "server"

module Bench
  # One run of one load. `cpu` is µs a request by process name, `rss` KiB after the run, `mean` the time of a request
  # in µs.
  Sample = Struct.new(:server, :app, :load, :protocol, :rate, :requests, :failed, :cpu, :rss, :mean,
                      keyword_init: true)

  # Runs each server in turn, and then all of them again: what disturbs the machine disturbs every one.
  class Comparison
    def initialize(options, progress: $stderr)
      @options = options
      @progress = progress
    end

    # All Samples, in the order of their taking.
    def run
      contestants = available
      contestants.each(&:prepare)
      @certificate = Certificate.new
      (1..@options.runs).flat_map do |number|
        contestants.product(@options.apps).flat_map { |contestant, app| measure(number, contestant, app) }
      end
    end

    private

    def available
      missing, available = @options.contestants.partition(&:missing)
      missing.each { |contestant| @progress.puts "left out: #{contestant.name}, #{contestant.missing}" }
      raise Failure, "no server is left to measure" if available.empty?

      available
    end

    def measure(number, contestant, app)
      command = ->(port) { contestant.command(app, port, @certificate) }
      Server.run("#{contestant.name} #{app}", command) do |server|
        url = server.url(contestant.path(app))
        @options.loads.map do |load|
          sample(server, H2load.new(url, load, server.protocol)).tap do |sample|
            sample.server = contestant.name
            sample.app = app
            sample.load = load.to_s
            report(number, sample)
          end
        end
      end
    end

    def sample(server, h2load)
      requests = h2load.warm_up(@options.seconds)
      before = server.cpu
      result = h2load.run(@options.requests || requests)
      server.check
      used = server.cpu.to_h { |name, seconds| [name, seconds - before.fetch(name, 0.0)] }
      Sample.new(protocol: server.protocol, rate: result.rate, requests: result.done,
                 failed: result.failed, rss: server.rss, mean: result.mean,
                 cpu: used.transform_values { |seconds| seconds * 1e6 / result.done })
    end

    def report(number, sample)
      @progress.puts format("run %<number>d/%<runs>d: %<server>s %<app>s %<load>s: %<rate>d requests/s",
                            number:, runs: @options.runs, server: sample.server, app: sample.app, load: sample.load,
                            rate: sample.rate)
    end
  end
end
