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
      baseline = new(topic)
      measure = lambda do
        yield.tap { |figures| puts baseline.table(figures) }
      end
      figures = measure.call
      baseline.update(figures) if mode == "--update"
      baseline.check(figures, &measure) if mode == "--check"
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

    # Raises Failure when a figure is not known, or has grown too much. The block measures once more: then only what has
    # grown both times counts, for what else happens on the machine may be in one of them.
    def check(figures)
      unknown = figures.keys - accepted.keys
      raise Failure, "no baseline of #{@topic} for #{unknown.join(', ')} (--update makes one)" if unknown.any?

      names = grown(figures)
      names &= grown(yield) if names.any? && block_given?
      raise Failure, "#{names.join(', ')}: grown by more than #{(100 * TOLERANCE).round} %" if names.any?
    end

    def update(figures)
      @all[@topic] = accepted.merge(figures)
      File.write(@path, "#{JSON.pretty_generate(@all.sort.to_h)}\n")
    end

    private

    def accepted
      @accepted ||= @all.fetch(@topic, {})
    end

    def grown(figures)
      figures.filter_map { |name, figure| name if growth(name, figure) > TOLERANCE }
    end

    def growth(name, figure)
      before = accepted.fetch(name)
      before.zero? ? figure.to_f : (figure - before).fdiv(before)
    end
  end
end
