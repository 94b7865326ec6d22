# frozen_string_literal: true

require "etc"
require "fileutils"
require "json"
require_relative "plot"
require_relative "statistics"
require_relative "table"
require_relative "targets"

module Bench
  # Medians of the Samples and Figures: tables and a plot for people, JSON for programs.
  class Report
    LOADS = ["app", "load", "server", "protocol", "requests/s", "spread", "CPU µs/request", "mean µs", "median µs",
             "p99 µs", "RSS MiB", "failed"].freeze
    SUMMARY = ["app", "server", "protocol", "requests/s", "spread", "CPU µs/request", "RSS MiB", "failed"].freeze
    CASES = %w[case server unit median spread failed].freeze

    def initialize(samples, figures, runs:)
      @samples = samples
      @figures = figures
      @runs = runs
    end

    # A row for each app, load and server; the servers of an app and a load stand together.
    def rows
      @rows ||= group(@samples, :app, :load, :server).map { |samples| row(samples) }
    end

    # A row for each case and server.
    def cases
      @cases ||= group(@figures, :name, :server).map { |figures| case_row(figures) }
    end

    def text
      [loads_table, cases_table, Targets.new(rows, cases).table, origin].compact.join("\n\n")
    end

    # What tells most, for a README.
    def summary
      [summary_table, Targets.new(rows, cases).table, origin].compact.join("\n\n")
    end

    # Writes results.json, table.md, summary.md and plot.svg.
    def write(directory)
      FileUtils.mkdir_p(directory)
      File.write(File.join(directory, "results.json"), JSON.pretty_generate(machine:, runs: @runs, rows:, cases:))
      File.write(File.join(directory, "table.md"), "#{text}\n")
      File.write(File.join(directory, "summary.md"), "#{summary}\n")
      File.write(File.join(directory, "plot.svg"), Plot.new(rows).to_svg)
    end

    # What the figures hold for.
    def machine
      { cpus: Etc.nprocessors, cpu: File.read("/proc/cpuinfo")[/^model name\s*: (.*)/, 1],
        system: Etc.uname.fetch_values(:sysname, :release, :machine).join(" "), ruby: RUBY_DESCRIPTION }
    end

    private

    # The groups in the order in which each field's values were first seen.
    def group(measured, *fields)
      ranks = fields.to_h { |field| [field, measured.map(&field).uniq] }
      groups = measured.group_by { |one| fields.map { |field| ranks.fetch(field).index(one[field]) } }
      groups.sort.map(&:last)
    end

    def row(samples)
      { **samples.first.to_h.slice(:app, :load, :server, :protocol), **rates(samples), **cpu(samples),
        **%i[mean p50 p99].to_h { |time| [time, Statistics.middle(samples.map(&time))] },
        rss: Statistics.median(samples.map(&:rss)).round, requests: samples.sum(&:requests),
        failed: samples.sum(&:failed) }
    end

    def rates(samples)
      rates = samples.map(&:rate)
      { rate: Statistics.median(rates).round, spread: Statistics.spread(rates).round(1), rates: rates.map(&:round) }
    end

    def cpu(samples)
      { cpu: Statistics.median(samples.map { |sample| sample.cpu.values.sum }).round(1),
        cpu_by_process: by_name(samples.map(&:cpu)), cpu_by_thread: by_name(samples.map(&:threads)) }
    end

    def by_name(samples)
      names = samples.flat_map(&:keys).uniq
      names.to_h { |name| [name, Statistics.median(samples.map { |sample| sample.fetch(name, 0.0) }).round(1)] }
    end

    def case_row(figures)
      values = figures.map { |figure| figure.value.round(1) }
      figures.first.to_h.slice(:name, :server, :unit)
             .merge(value: Statistics.median(values).round(1), values:, spread: Statistics.spread(values).round(1),
                    failed: figures.sum(&:failed))
    end

    def loads_table
      return if rows.empty?

      cells = rows.map do |row|
        [*row.fetch_values(:app, :load, :server, :protocol, :rate), "#{row[:spread].round} %", row[:cpu],
         *%i[mean p50 p99].map { |time| row[time]&.round }, (row[:rss] / 1024.0).round, row[:failed]]
      end
      Table.new(LOADS, cells, words: 4)
    end

    # One load for all servers.
    def summary_table
      rows = self.rows.select { |row| row[:load] == Plot::LOAD }
      return if rows.empty?

      cells = rows.map do |row|
        [*row.fetch_values(:app, :server, :protocol, :rate), "#{row[:spread].round} %", row[:cpu],
         (row[:rss] / 1024.0).round, row[:failed]]
      end
      Table.new(SUMMARY, cells, words: 3)
    end

    def cases_table
      return if cases.empty?

      cells = cases.map do |row|
        value = row[:value] < 100 ? row[:value] : row[:value].round
        [*row.fetch_values(:name, :server, :unit), value, "#{row[:spread].round} %", row[:failed]]
      end
      Table.new(CASES, cells, words: 3)
    end

    def origin
      "Medians of #{@runs} interleaved runs, the load generator beside the server. " \
        "#{machine.fetch_values(:cpus, :cpu).join(' CPUs, ')}; #{machine[:system]}; #{RUBY_DESCRIPTION}."
    end
  end
end
