# frozen_string_literal: true

require "fileutils"
require "open3"
require_relative "apps"
require_relative "client"
require_relative "loads"

module Bench
  # One number of one server.
  Figure = Struct.new(:name, :server, :value, :unit, :failed, keyword_init: true)

  # What no load shows: each answers `name`, the `app` that it needs, and `measure`, which takes a Visit and answers
  # Figures.
  module Cases
    # The defaults of a case.
    class Case
      attr_reader :app

      def initialize
        @app = App.new(name: self.class::APP)
      end

      def name = self.class::NAME

      # Servers that it says something about; peers always.
      def concerns?(contestant)
        (self.class::SERVERS.include?(contestant.name) || contestant.is_a?(Contestants::Peer)) &&
          contestant.serves?(app.name)
      end

      # Whether one run is enough: the figure does not depend on what else the machine does.
      def once? = false

      # Makes what the measurement needs.
      def prepare = nil

      # Of the server.
      def environment = {}

      private

      def figure(value, unit, label = nil, failed: 0)
        [Figure.new(name: [name, label].compact.join(" "), value:, unit:, failed:)]
      end

      def curl(*arguments)
        output, status = Open3.capture2e("curl", "--noproxy", "*", "-ksSf", *arguments)
        raise Failure, "curl #{arguments.join(' ')}: #{output}" unless status.success?

        output
      end
    end

    # TLS handshakes, all full ones.
    class Connections < Case
      NAME = "connections"
      APP = "hello"
      SERVERS = %w[hyperion-rs echo.rs nginx nginx+puma puma].freeze
      AT_ONCE = 16

      def measure(visit)
        client = Client.new(visit.server, visit.path)
        client.connections(Loads::WARM_UP, AT_ONCE)
        rate, failed = client.connections(visit.seconds, AT_ONCE)
        figure(rate, "new connections/s", failed:)
      end
    end

    # Connections that do nothing, while others are served.
    class Idle < Case
      NAME = "idle"
      APP = "hello"
      SERVERS = %w[hyperion-rs nginx].freeze
      COUNT = 10_000
      # With those of the others, and files.
      DESCRIPTORS = COUNT + 1000

      def once? = true

      # The server and the client have as many open.
      def prepare
        most = Process.getrlimit(Process::RLIMIT_NOFILE).last
        raise Failure, "--cases idle needs #{DESCRIPTORS} descriptors, ulimit -Hn is #{most}" if most < DESCRIPTORS

        Process.setrlimit(Process::RLIMIT_NOFILE, most)
      end

      def environment = { "HYPERION_RS_MAX_CONNECTIONS" => DESCRIPTORS.to_s }

      def measure(visit)
        load = Loads::Closed.new(8, 32)
        load.measure(visit)
        before = visit.server.rss
        held = nil
        alive = Client.new(visit.server, visit.path).hold(COUNT) do
          held = visit.server.rss
          @served = load.measure(visit)
        end
        figure((held - before).fdiv(COUNT), "KiB a connection", "RSS", failed: COUNT - alive) +
          figure(@served.rate, "requests/s", "others are served", failed: @served.failed)
      end
    end

    # One large file by its path.
    class Download < Case
      NAME = "download"
      APP = "download"
      SERVERS = %w[hyperion-rs nginx].freeze
      SIZE = 1024 * 1024 * 1024
      DEADLINE = 120

      def prepare
        FileUtils.mkdir_p(File.dirname(LARGE_FILE))
        File.open(LARGE_FILE, "wb") { |file| file.truncate(SIZE) }
      end

      def measure(visit)
        told = %w[size_download speed_download].map { |name| "%{#{name}}" }.join(" ")
        size, speed = curl("-o", File::NULL, "-m", DEADLINE.to_s, "-w", told, visit.url).split
        raise Failure, "downloaded #{size} of #{SIZE} bytes" unless size.to_i == SIZE

        figure(speed.to_f / (1024 * 1024), "MiB/s")
      end
    end

    # A thread of the app beside the requests.
    class Background < Case
      NAME = "background"
      APP = "background"
      SERVERS = %w[hyperion-rs puma].freeze

      def measure(visit)
        Loads::Closed.new(8, 32).then do |load|
          load.measure(visit)
          before = turns(visit)
          began = now
          load.measure(visit)
          elapsed = now - began
          figure((turns(visit) - before) / elapsed, "turns/s of a thread")
        end
      end

      private

      def turns(visit) = Integer(curl("-m", "10", visit.server.url("/turns")))

      def now = Process.clock_gettime(Process::CLOCK_MONOTONIC)
    end

    # What a request costs, with few and many connections and streams.
    class Scaling < Case
      NAME = "scaling"
      APP = "hello"
      SERVERS = %w[hyperion-rs echo.rs nginx].freeze
      LONGER = 3
      LOADS = [[1, 1], [10, 1], [100, 1], [1000, 1], [1, 8], [1, 32], [1, 128]].freeze

      def measure(visit)
        LOADS.flat_map do |connections, streams|
          load = Loads::Closed.new(connections, streams)
          short = load.measure(visit)
          long = load.run(visit, LONGER * short.requests)
          figure(cost(short, long), "CPU µs/request", load.to_s, failed: short.failed + long.failed)
        end
      end

      private

      # Of the requests that the longer one has more: the handshakes are in both.
      def cost(short, long)
        used = [long, short].map { |sample| sample.cpu.values.sum * sample.requests }
        used.reduce(:-) / (long.requests - short.requests)
      end
    end

    # The apps in a bare Ruby loop, in the same run as the servers that call them.
    class AppAlone < Case
      NAME = "alone"
      APP = "hello"
      SERVERS = %w[hyperion-rs].freeze
      RATE = %r{^(\w+) +(\d+) calls/s}

      # The server waits meanwhile.
      def measure(_visit)
        output, status = Open3.capture2e(RbConfig.ruby, File.join(ROOT, "bench/app_alone"))
        raise Failure, "bench/app_alone: #{output}" unless status.success?

        output.scan(RATE).flat_map { |app, rate| figure(rate.to_f, "calls/s without a server", app) }
      end
    end

    ALL = [AppAlone, Connections, Download, Background, Scaling, Idle].freeze

    def self.all = ALL.map(&:new)
  end
end
