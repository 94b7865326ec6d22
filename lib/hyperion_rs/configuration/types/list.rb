# frozen_string_literal: true

require_relative "base"

module HyperionRs
  class Configuration
    module Types
      # Several values: an Array, or one String with commas. The typed value is a frozen Array without repetitions.
      class List < Base
        def format(value)
          value.join(",")
        end

        def list?
          true
        end

        private

        # Each of the values, by the block; at least one has to be there.
        def parse_each(value, &)
          values = value.is_a?(String) ? value.split(",", -1).map(&:strip) : Array(value)
          refuse if values.empty?
          values.map(&).uniq.freeze
        end
      end
    end
  end
end
