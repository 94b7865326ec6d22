# frozen_string_literal: true

require_relative "layer"

module HyperionRs
  class Configuration
    # What environment variables say. A variable that is blank counts as not set.
    class Environment
      # Variables of others that stand for an option, weaker than the config file.
      PORT = "PORT"
      MAX_THREADS = "RAILS_MAX_THREADS"
      ENVIRONMENTS = %w[RACK_ENV RAILS_ENV].freeze
      # Of the handler that Http2Handler replaces, which takes any other word for no.
      H2_TIMING = "HYPERION_H2_TIMING"
      YES = %w[1 true yes on].freeze

      private_constant :PORT, :MAX_THREADS, :ENVIRONMENTS, :H2_TIMING, :YES

      def initialize(env)
        @env = env
      end

      # HYPERION_RS_*: a misspelt one is an error, so that it does not silently mean the default.
      def own
        names = OPTIONS.to_h { |option| [option.env_name, option.name] }
        @env.each_with_object(Layer.new) do |(variable, value), layer|
          next unless variable.start_with?(Option::ENV_PREFIX) && present(variable)

          layer.set(names.fetch(variable) { raise unknown(variable, names.keys) }, value, variable)
        end
      end

      # PORT, RAILS_MAX_THREADS, RACK_ENV, RAILS_ENV and HYPERION_H2_TIMING.
      def conventional
        Layer.new.tap do |layer|
          layer.set(:port, @env[PORT], PORT) if present(PORT)
          layer.set(:threads, max_threads, MAX_THREADS) if present(MAX_THREADS)
          variable = ENVIRONMENTS.find { |name| present(name) }
          layer.set(:environment, @env[variable], variable) if variable
          layer.set(:h2_timing, yes?(H2_TIMING), H2_TIMING) if present(H2_TIMING)
        end
      end

      private

      def unknown(variable, candidates)
        Layer.unknown(variable, "the environment", candidates, prefix: Option::ENV_PREFIX)
      end

      def present(variable)
        value = @env[variable]
        !value.nil? && !value.strip.empty?
      end

      def yes?(variable)
        YES.include?(@env[variable].strip.downcase)
      end

      # A maximum only: the default minimum stays, unless it would be above.
      def max_threads
        maximum = Integer(@env[MAX_THREADS], 10, exception: false)
        return @env[MAX_THREADS] unless maximum

        minimum = OPTIONS[:threads].default_setting(nil).value.min
        "#{[minimum, maximum].min}:#{maximum}"
      end
    end
  end
end
