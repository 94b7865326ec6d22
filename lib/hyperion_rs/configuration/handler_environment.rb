# frozen_string_literal: true

module HyperionRs
  class Configuration
    # The variables that Http2Handler has from the handler that it replaces. A malformed value is not an error, as it
    # was none there, but is warned of.
    class HandlerEnvironment
      HPACK = "HYPERION_H2_NATIVE_HPACK"
      DISPATCH_POOL = "HYPERION_H2_DISPATCH_POOL"
      MAX_DISPATCH_POOL = 16

      private_constant :HPACK, :DISPATCH_POOL, :MAX_DISPATCH_POOL

      def initialize(logger, env: ENV)
        @logger = logger
        @env = env
      end

      # As it stands there; nil when it is not set.
      def hpack
        @env[HPACK]
      end

      # Threads that call applications; nil when nothing usable is set.
      def dispatch_pool
        value = @env[DISPATCH_POOL].to_s.strip
        return if value.empty?

        size = Integer(value, 10, exception: false)
        return [size, MAX_DISPATCH_POOL].min if size&.positive?

        @logger.warn { { message: "malformed #{DISPATCH_POOL}; using the default", value: } }
        nil
      end
    end
  end
end
