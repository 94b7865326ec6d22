# frozen_string_literal: true

require_relative "../configuration"

module HyperionRs
  class Http2Handler
    # What a handler takes from its surroundings: the configuration that servers have too, but for listening, TLS,
    # restarts and x_sendfile; and the variables of the handler that it replaces.
    class Preferences
      attr_reader :hpack

      def initialize(tls, logger)
        @tls = tls
        environment = Configuration::HandlerEnvironment.new(logger)
        @configuration = Configuration.new(identity)
        @hpack = environment.hpack
        @dispatch_pool = environment.dispatch_pool
        @configuration.notices.each { |notice| logger.warn { notice.to_h } }
      end

      # What the Rust side is started with; `h2_settings` come first.
      def native_settings(h2_settings)
        settings = @configuration.native_settings.merge(h2_settings.transform_keys { |name| :"h2_#{name}" })
        # TLS that the surroundings ask for is a server's.
        settings.merge!(tls_dev: nil, tls_cert: nil, tls_key: nil) unless @tls
        settings.merge!(threads_min: @dispatch_pool, threads_max: @dispatch_pool) if @dispatch_pool
        settings
      end

      private

      def identity
        case @tls
        when nil then {}
        when Hash then { tls_cert: path(:cert), tls_key: path(:key) }
        else { tls: @tls }
        end
      end

      def path(name)
        path = @tls[name]
        raise ConfigurationError, "tls: #{name} is missing; allowed: \"dev\" or { cert:, key: }" unless path

        path.to_s
      end
    end
  end
end
