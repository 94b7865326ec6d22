# frozen_string_literal: true

require_relative "client"
require_relative "h2load"

module Bench
  # Ways to load a server: each answers `name` (of the command line), `to_s` (in the table) and `measure`, which takes a
  # Visit and answers a Result.
  module Loads
    # Seconds of load before what counts.
    WARM_UP = 0.2
    # Times as long as with HTTP/2, with its fewer connections.
    HTTP1_LENGTH = 3

    # Always so many requests at once on so many connections, by h2load.
    Closed = Struct.new(:connections, :streams) do
      def name = "c#{connections}m#{streams}"

      def to_s = "-c#{connections} -m#{streams}"

      # HTTP/1.1 has no streams: as many requests at once take as many connections.
      def arguments(protocol)
        return ["-c#{connections}", "-m#{streams}"] if protocol == "h2"

        ["--h1", "-c#{connections * streams}", "-m1"]
      end

      # h2load makes at least one request for each that is open at once.
      def least = connections * streams

      # Whether what h2load measures of a request is the server's, and not the queue before it.
      def single? = least == 1

      def measure(visit)
        requests = h2load(visit).warm_up(seconds(visit), WARM_UP)
        run(visit, visit.requests || requests)
      end

      # So many requests, without a warm-up.
      def run(visit, requests)
        visit.counting { h2load(visit).run(requests) }
      end

      private

      def h2load(visit)
        H2load.new(visit.url, self, visit.protocol, visit.app.h2load_arguments)
      end

      # The handshakes of many connections count too: they must not be most of it.
      def seconds(visit)
        visit.protocol == "h2" ? visit.seconds : HTTP1_LENGTH * visit.seconds
      end
    end

    # The same rate for every server.
    Rate = Struct.new(:rate) do
      def name = "rate"

      def to_s = "#{rate}/s"

      def measure(visit)
        client = Client.new(visit.server, visit.path)
        client.rate(rate, WARM_UP)
        visit.counting { client.rate(rate, visit.seconds) }
      end
    end

    # Half of what the server reached under the other loads.
    class HalfOfPeak
      PEAK = Closed.new(8, 32)

      def name = "half"

      def to_s = "half of peak"

      def measure(visit)
        peak = visit.peak || PEAK.measure(visit).rate
        Rate.new((peak / 2).round).measure(visit)
      end
    end

    # The load of a name, as in `--loads`.
    def self.find(name, rate)
      case name
      when /\Ac([1-9]\d*)m([1-9]\d*)\z/ then Closed.new(*Regexp.last_match.captures.map(&:to_i))
      when "rate" then Rate.new(rate)
      when "half" then HalfOfPeak.new
      else raise Failure, "--loads: no #{name}; there are #{(ALL_LOADS + %w[cNmM]).join(', ')}"
      end
    end
  end
end
