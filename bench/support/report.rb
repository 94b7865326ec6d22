# frozen_string_literal: true

require "etc"
require "fileutils"
require "json"

module Bench
  # Medians of the Samples: a Markdown table for people, JSON for programs.
  class Report
    HEADINGS = ["app", "load", "server", "protocol", "requests/s", "spread", "CPU µs/request", "mean µs", "RSS MiB",
                "failed"].freeze
    # Columns that hold words.
    LEFT = 4

    # The middle value, or the mean of the two in the middle.
    def self.median(values)
      sorted = values.sort
      (sorted[(sorted.size - 1) / 2] + sorted[sorted.size / 2]) / 2.0
    end

    # The range of the values in per cent of their median.
    def self.spread(values)
      100.0 * (values.max - values.min) / median(values)
    end

    def initialize(samples)
      @groups = samples.group_by { |sample| [sample.app, sample.load, sample.server] }
    end

    # A row for each app, load and server.
    def rows
      @rows ||= order.map { |key| row(*key, @groups.fetch(key)) }
    end

    def table
      lines = [HEADINGS, *rows.map { |row| cells(row) }]
      widths = lines.transpose.map { |column| column.map(&:size).max }
      rule = widths.each_with_index.map { |width, column| column < LEFT ? "-" * width : "#{'-' * (width - 1)}:" }
      lines.insert(1, rule).map { |line| "| #{justify(line, widths).join(' | ')} |" }.join("\n")
    end

    # Writes the rows, and what they were measured on.
    def write(path, runs:)
      FileUtils.mkdir_p(File.dirname(path))
      File.write(path, JSON.pretty_generate(machine:, runs:, rows:))
    end

    # What the figures hold for.
    def machine
      { cpus: Etc.nprocessors, system: Etc.uname.fetch_values(:sysname, :release, :machine).join(" "),
        ruby: RUBY_DESCRIPTION }
    end

    private

    # The servers of an app and a load stand together.
    def order
      @groups.keys.sort_by.with_index { |(app, load, _), index| [first(0, app), first(1, load), index] }
    end

    def first(position, value)
      @groups.keys.index { |key| key[position] == value }
    end

    def row(app, load, server, samples)
      rates = samples.map(&:rate)
      { app:, load:, server:, protocol: samples.first.protocol,
        rate: Report.median(rates).round, spread: Report.spread(rates).round(1), rates: rates.map(&:round),
        cpu: Report.median(samples.map { |sample| sample.cpu.values.sum }).round(1),
        cpu_by_process: by_process(samples),
        mean: Report.median(samples.map(&:mean)).round(1), rss: Report.median(samples.map(&:rss)).round,
        requests: samples.sum(&:requests), failed: samples.sum(&:failed) }
    end

    def by_process(samples)
      names = samples.flat_map { |sample| sample.cpu.keys }.uniq
      names.to_h { |name| [name, Report.median(samples.map { |sample| sample.cpu.fetch(name, 0.0) }).round(1)] }
    end

    def cells(row)
      [row[:app], row[:load], row[:server], row[:protocol], thousands(row[:rate]), "#{row[:spread].round} %",
       row[:cpu].to_s, row[:mean].to_s, (row[:rss] / 1024.0).round.to_s, row[:failed].to_s]
    end

    def justify(line, widths)
      line.each_with_index.map do |cell, column|
        column < LEFT ? cell.ljust(widths[column]) : cell.rjust(widths[column])
      end
    end

    def thousands(number)
      number.to_s.gsub(/\d(?=(\d{3})+\z)/, '\0 ')
    end
  end
end
