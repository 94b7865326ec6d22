# frozen_string_literal: true

require "json"
require "optparse"
require_relative "failure"
require_relative "table"

module Bench
  # What exact figures were when they were last accepted: bench/baseline.json.
  class Baseline
    PATH = File.join(ROOT, "bench/baseline.json")
    # Growth beyond this fails.
    TOLERANCE = 0.05
    # What a figure of one Ruby says of another is nothing.
    RUBY = "ruby #{RUBY_VERSION[/\A\d+\.\d+/]}".freeze

    # Runs a command that measures: the block answers figures by name. `argv` may hold --check or --update.
    def self.run(topic, argv)
      mode = mode_of(argv)
      figures = yield
      baseline = new(topic)
      puts baseline.table(figures)
      baseline.update(figures) if mode == "--update"
      baseline.check(figures) if mode == "--check"
    end

    def self.mode_of(argv)
      unknown = argv - %w[--check --update]
      raise Failure, "unexpected argument #{unknown.first} (allowed: --check, --update)" if unknown.any?

      argv.first
    end

    def initialize(topic, path = PATH)
      @topic = topic
      @path = path
      @all = File.exist?(path) ? JSON.parse(File.read(path)) : {}
    end

    def table(figures)
      rows = figures.map do |name, figure|
        [name, figure, accepted[name], (format("%+.1f %%", 100 * growth(name, figure)) if accepted[name])]
      end
      Table.new(%w[figure measured baseline growth], rows, words: 1).to_s
    end

    # Raises Failure when a figure has grown too much, or is not known.
    def check(figures)
      unknown = figures.keys - accepted.keys
      raise Failure, "no baseline of #{@topic} for #{unknown.join(', ')} (--update makes one)" if unknown.any?

      grown = figures.select { |name, figure| growth(name, figure) > TOLERANCE }
      raise Failure, "#{grown.keys.join(', ')}: grown by more than #{(100 * TOLERANCE).round} %" if grown.any?
    end

    def update(figures)
      @all[@topic] = accepted.merge(figures)
      File.write(@path, "#{JSON.pretty_generate(@all.sort.to_h)}\n")
    end

    private

    def accepted
      @accepted ||= @all.fetch(@topic, {})
    end

    def growth(name, figure)
      before = accepted.fetch(name)
      before.zero? ? figure.to_f : (figure - before).fdiv(before)
    end
  end
end
