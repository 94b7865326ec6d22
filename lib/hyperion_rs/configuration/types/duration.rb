# frozen_string_literal: true

require_relative "base"

module HyperionRs
  class Configuration
    module Types
      # A time span as Float seconds: 10, 2.5, "10", "10s" or "500ms".
      class Duration < Base
        FACTORS = { nil => 1.0, "s" => 1.0, "ms" => 0.001 }.freeze
        PATTERN = /\A\s*(\d+(?:\.\d+)?)\s*(ms|s)?\s*\z/
        OFF = ["off", "none", "false", false].freeze

        private_constant :FACTORS, :PATTERN, :OFF

        # `optional` takes "off" too, as nil.
        def initialize(range, optional: false)
          super()
          @range = range
          @optional = optional
        end

        def parse(value)
          return nil if @optional && OFF.include?(value)

          seconds = to_seconds(value)
          refuse unless @range.cover?(seconds)
          seconds
        end

        def allowed
          "seconds, such as 10, 2.5, 10s or 500ms, from #{format(@range.begin)} to #{format(@range.end)}" \
            "#{', or off' if @optional}"
        end

        def placeholder
          "SECONDS"
        end

        def unit
          "seconds"
        end

        def format(value)
          return "off" if value.nil?

          value.positive? && value < 1 ? "#{trim(value * 1000)} ms" : "#{trim(value)} s"
        end

        private

        def to_seconds(value)
          return value.to_f if value.is_a?(Numeric) && value.real?

          match = PATTERN.match(value) if value.is_a?(String)
          match ? Float(match[1]) * FACTORS.fetch(match[2]) : refuse
        end

        def trim(number)
          number == number.to_i ? number.to_i : number
        end
      end
    end
  end
end
