# frozen_string_literal: true

require "optparse"
require_relative "apps"
require_relative "cases"
require_relative "contestants"
require_relative "failure"
require_relative "loads"

module Bench
  # The command line of bench/run.
  class Options
    attr_reader :runs, :seconds, :requests, :output

    def initialize(argv)
      @runs = 5
      @seconds = 0.5
      @rate = 2000
      @peers = []
      @output = OUTPUT
      rest = parser.parse(argv)
      raise Failure, "unexpected argument #{rest.first}" if rest.any?

      # What names nothing is said before anything is built.
      [contestants, cases, apps.map { |app| loads(app) }]
    rescue OptionParser::ParseError => e
      raise Failure, e.message
    end

    # What to measure, in order.
    def contestants = pick(Contestants.all + @peers, "--only", @only)

    def apps = @apps == false ? [] : pick(APPS, "--apps", @apps)

    def cases = @cases == false ? [] : pick(Cases.all, "--cases", @cases)

    # The loads of an app.
    def loads(app)
      (@loads || app.loads).map { |name| Loads.find(name, @rate) }
    end

    # Whether the client of our own is needed.
    def client?
      cases.any? || apps.flat_map { |app| loads(app) }.any? { |load| !load.is_a?(Loads::Closed) }
    end

    private

    def pick(all, option, names)
      unknown = (names || []) - all.map(&:name)
      raise Failure, "#{option}: no #{unknown.join(', ')}; there are #{all.map(&:name).join(', ')}" if unknown.any?

      all.select { |one| names.nil? || names.include?(one.name) }
    end

    def parser
      OptionParser.new("Usage: bench/run [options]", 28) do |parser|
        extent(parser)
        selection(parser)
        parser.on("--output DIRECTORY", "where the figures go (tmp/bench)") do |path|
          @output = File.expand_path(path)
        end
      end
    end

    def extent(parser)
      parser.on("--runs N", Integer, "interleaved runs, of which the median counts (5)") do |runs|
        @runs = positive("--runs", runs)
      end
      parser.on("--duration SECONDS", Float, "of each run and load (0.5)") do |seconds|
        @seconds = positive("--duration", seconds)
      end
      parser.on("-n", "--requests N", Integer, "so many requests in each, instead of a time") do |requests|
        @requests = positive("--requests", requests)
      end
      parser.on("--rate N", Integer, "requests a second of the load `rate` (2000)") do |rate|
        @rate = positive("--rate", rate)
      end
    end

    def selection(parser)
      parser.on("--only NAMES", Array, "servers: #{Contestants.all.map(&:name).join(',')}", "or a peer") do |names|
        @only = names
      end
      parser.on("--peer NAME=COMMAND", "one more server, serving the app {app} over TLS",
                "on 127.0.0.1:{port} with {cert} and {key}") { |text| @peers << Contestants::Peer.new(text) }
      parser.on("--[no-]apps NAMES", Array, "apps: #{APPS.join(',')}") { |names| @apps = names }
      parser.on("--loads NAMES", Array, "loads, for all apps: #{ALL_LOADS.join(',')}",
                "or any cNmM: N connections, M streams") { |names| @loads = names }
      parser.on("--[no-]cases NAMES", Array, "cases: #{Cases.all.map(&:name).join(',')}") { |names| @cases = names }
    end

    def positive(option, value)
      value.positive? ? value : raise(Failure, "#{option} must be more than 0")
    end
  end
end
