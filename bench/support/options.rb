# frozen_string_literal: true

require "optparse"
require_relative "contestants"
require_relative "failure"
require_relative "h2load"

module Bench
  # The command line of bench/run.
  class Options
    APPS = %w[hello headers].freeze
    LOADS = [[1, 1], [1, 100], [8, 32]].map { |load| Load.new(*load) }.freeze

    attr_reader :runs, :seconds, :requests, :json

    def initialize(argv)
      @runs = 5
      @seconds = 2.0
      @peers = []
      @json = File.join(OUTPUT, "results.json")
      rest = parser.parse(argv)
      raise Failure, "unexpected argument #{rest.first}" if rest.any?
    rescue OptionParser::ParseError => e
      raise Failure, e.message
    end

    def apps = APPS

    def loads = LOADS

    # What to measure, in order.
    def contestants
      all = Contestants.all + @peers
      unknown = (@only || []) - all.map(&:name)
      raise Failure, "--only: no #{unknown.join(', ')}; there are #{all.map(&:name).join(', ')}" if unknown.any?

      all.select { |contestant| @only.nil? || @only.include?(contestant.name) }
    end

    private

    def parser
      OptionParser.new("Usage: bench/run [options]", 28) do |parser|
        parser.on("--runs N", Integer, "interleaved runs, of which the median counts (5)") do |runs|
          @runs = positive("--runs", runs)
        end
        parser.on("--duration SECONDS", Float, "of each run and load (2)") do |seconds|
          @seconds = positive("--duration", seconds)
        end
        parser.on("-n", "--requests N", Integer, "so many requests in each, instead of a time") do |requests|
          @requests = positive("--requests", requests)
        end
        parser.on("--only NAMES", Array, "servers to measure: hyperion-rs,echo.rs,puma or a peer") do |names|
          @only = names
        end
        parser.on("--peer NAME=COMMAND", "one more server, serving the app {app} over TLS",
                  "on 127.0.0.1:{port} with {cert} and {key}") { |text| @peers << Contestants::Peer.new(text) }
        parser.on("--json FILE", "where all figures go (tmp/bench/results.json)") do |path|
          @json = File.expand_path(path)
        end
      end
    end

    def positive(option, value)
      value.positive? ? value : raise(Failure, "#{option} must be more than 0")
    end
  end
end
