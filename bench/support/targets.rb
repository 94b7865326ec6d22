# frozen_string_literal: true

require_relative "table"

module Bench
  # How the gem stands to what it is measured by, as far as it was measured.
  class Targets
    HEADINGS = %w[measure target measured].freeze
    OURS = "hyperion-rs"
    # The threads that are not Ruby's; its workers are `hyperion-rs N`.
    NATIVE_THREAD = /\Ahyperion-(?!rs\b)/

    def initialize(rows, cases)
      @rows = rows.to_h { |row| [row.fetch_values(:app, :load, :server), row] }
      @cases = cases.to_h { |row| [row.fetch_values(:name, :server), row[:value]] }
    end

    # Nil when nothing of it was measured.
    def table
      lines = all.select(&:last)
      Table.new(HEADINGS, lines, words: 3) if lines.any?
    end

    private

    def all
      throughput + cpu + latency + cases
    end

    def throughput
      [["hello `-c1 -m100` to echo.rs", "0.6", quotient(rate("hello"), rate("hello", "echo.rs"))],
       ["hello `-c1 -m100` to Puma", "10", quotient(rate("hello"), rate("hello", "puma"))],
       ["headers `-c1 -m100` to Puma", "8", quotient(rate("headers"), rate("headers", "puma"))],
       ["headers `-c1 -m100` to the app alone", "0.35", quotient(rate("headers"), alone("headers"))]]
    end

    def cpu
      hello, headers = %w[hello headers].map { |app| above_app(app) }
      # hello has one header, headers has 25.
      per_header = ((headers - hello) / 24).round(2) if hello && headers
      [["Ruby threads above the app, hello", "4 µs", hello&.round(1)],
       ["and for each further response header", "0.15 µs", per_header]]
    end

    def latency
      single = [OURS, "echo.rs"].map { |server| row("hello", "-c1 -m1", server)&.fetch(:p50) }
      above = (single[0] - single[1]).round if single.all?
      half = row("hello", "half of peak")&.fetch(:p99)
      [["median latency `-c1 -m1` above echo.rs", "40 µs", above],
       ["p99 at half of the peak rate", "3 ms", half && (half / 1000.0).round(2)]]
    end

    def cases
      connections = [1, 10, 100, 1000].map { |number| "-c#{number} -m1" }
      streams = [1, 8, 32, 128].map { |number| "-c1 -m#{number}" }
      [["CPU a request, most to least, 1 to 1 000 connections", "1.2", scaling(connections)],
       ["CPU a request, most to least, 1 to 128 streams", "1.2", scaling(streams)],
       ["idle connection", "24 KiB", @cases[["idle RSS", OURS]]],
       ["1 GiB file to nginx", "0.8", to_nginx("download")],
       ["new connections to nginx", "0.9", to_nginx("connections")],
       ["turns a second of a thread", "100", @cases[["background", OURS]]]]
    end

    def row(app, load, server = OURS) = @rows[[app, load, server]]

    def rate(app, server = OURS) = row(app, "-c1 -m100", server)&.fetch(:rate)

    def alone(app) = @cases[["alone #{app}", OURS]]

    def quotient(ours, other)
      ours.fdiv(other).round(2) if ours && other&.positive?
    end

    def to_nginx(name) = quotient(@cases[[name, OURS]], @cases[[name, "nginx"]])

    def scaling(loads)
      values = loads.filter_map { |load| @cases[["scaling #{load}", OURS]] }
      quotient(values.max, values.min)
    end

    # µs of the Ruby threads for a request, without the app's own.
    def above_app(app)
      row = row(app, "-c1 -m100")
      return unless row && alone(app)

      ruby = row[:cpu_by_thread].reject { |name, _| NATIVE_THREAD.match?(name) }
      ruby.values.sum - (1e6 / alone(app))
    end
  end
end
