# frozen_string_literal: true

require "logger"
require_relative "json_formatter"

module HyperionRs
  # Where a handler counts and logs. Handlers with runtimes of their own share no counter and no line.
  #
  #     HyperionRs::Runtime.new(metrics: MyMetrics.new, logger: MyLogger.new)
  #
  # A metrics object answers `increment(key)`, `decrement(key)`, `increment_status(status)` and
  # `tick_worker_request(worker_id)`. A logger answers `debug`, `info`, `warn` and `error`, each with a block that
  # returns a Hash with a `message`; Ruby's Logger does, best with a JsonFormatter.
  class Runtime
    @lock = Mutex.new
    @default = nil

    class << self
      # What handlers without a runtime share.
      def default
        @lock.synchronize { @default ||= new }
      end

      # Sets it, for handlers to come.
      def default=(runtime)
        raise ArgumentError, "expected a #{self}: #{runtime.inspect}" unless runtime.is_a?(self)

        @lock.synchronize { @default = runtime }
      end

      # Forgets the default: the next one has new counters.
      def reset_default!
        @lock.synchronize { @default = nil }
      end
    end

    attr_writer :metrics, :logger

    def initialize(metrics: nil, logger: nil)
      @metrics = metrics
      @logger = logger
      @lock = Mutex.new
    end

    def metrics
      @lock.synchronize { @metrics ||= Metrics.new }
    end

    def logger
      @lock.synchronize { @logger ||= default_logger }
    end

    # Whether it is the one that handlers share.
    def default?
      equal?(Runtime.default)
    end

    private

    def default_logger
      Logger.new($stderr, level: Logger::INFO, progname: "hyperion-rs", formatter: JsonFormatter.new)
    end
  end
end
