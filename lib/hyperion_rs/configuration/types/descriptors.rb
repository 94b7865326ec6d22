# frozen_string_literal: true

require_relative "base"
require_relative "number"

module HyperionRs
  class Configuration
    module Types
      # File descriptors that are open in this process: a list, or one String with commas. 0 to 2 are the standard
      # streams.
      class Descriptors < Base
        NUMBER = Number.new(3..0x7FFFFFFF)
        private_constant :NUMBER

        def parse(value)
          numbers = value.is_a?(String) ? value.split(",", -1) : Array(value)
          refuse if numbers.empty?
          numbers.map { |number| NUMBER.parse(number) }.uniq.freeze
        end

        def allowed
          "numbers of open file descriptors from 3 on, several with commas"
        end

        def placeholder
          "FDS"
        end

        def format(value)
          value.join(",")
        end

        def list?
          true
        end
      end
    end
  end
end
