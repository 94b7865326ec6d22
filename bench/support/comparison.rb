# frozen_string_literal: true

require_relative "certificate"
require_relative "failure"
require_relative "server"
require_relative "visit"

module Bench
  # Runs each server in turn, and then all of them again: what disturbs the machine disturbs every one.
  class Comparison
    # Samples of loads and Figures of cases, in the order of their taking.
    attr_reader :samples, :figures

    def initialize(options, progress: $stderr)
      @options = options
      @progress = progress
      @samples = []
      @figures = []
    end

    def run
      prepare
      (1..@options.runs).each do |number|
        @number = number
        compared.product(@options.apps).each { |contestant, app| compare(contestant, app) }
        @options.cases.each { |kase| measure(kase) unless kase.once? && number > 1 }
      end
      self
    end

    private

    def prepare
      missing, @contestants = @options.contestants.partition(&:missing)
      missing.each { |contestant| @progress.puts "left out: #{contestant.name}, #{contestant.missing}" }
      raise Failure, "no server is left to measure" if @contestants.empty?

      @contestants.each(&:prepare)
      NativePrograms.build_example("load") if @options.client?
      @certificate = Certificate.new
      @options.cases.each(&:prepare)
    end

    def compared
      @contestants.reject(&:reference?)
    end

    def compare(contestant, app)
      return unless contestant.serves?(app.name)

      visit(contestant, app) do |visit|
        @options.loads(app).each do |load|
          sample = load.measure(visit)
          sample.server = contestant.name
          sample.app = app.name
          sample.load = load.to_s
          @samples << sample
          tell contestant, app, load, "#{sample.rate.round} requests/s"
        end
      end
    end

    def measure(kase)
      @contestants.select { |contestant| kase.concerns?(contestant) }.each do |contestant|
        visit(contestant, kase.app, kase.environment) do |visit|
          kase.measure(visit).each do |figure|
            figure.server = contestant.name
            @figures << figure
            tell contestant, figure.name, figure.value.round(1), figure.unit
          end
        end
      end
    end

    def visit(contestant, app, environment = {})
      command = ->(port) { [environment, *contestant.command(app.name, port, @certificate)] }
      path = contestant.path(app.name)
      Server.run("#{contestant.name} #{app.name}", command, path) do |server|
        yield Visit.new(server, app, path, seconds: @options.seconds, requests: @options.requests)
      end
    end

    def tell(contestant, *what)
      @progress.puts "run #{@number}/#{@options.runs}: #{contestant.name} #{what.join(' ')}"
    end
  end
end
