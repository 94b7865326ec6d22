# frozen_string_literal: true

require_relative "base"

module HyperionRs
  class Configuration
    module Types
      # The size of the thread pool: "4:16" is at least 4 and at most 16, "8" (or 8) is exactly 8. A minimum of 0, known
      # from other servers, counts as 1. The typed value is a Range.
      class Threads < Base
        MAX = 1024
        PATTERN = /\A\s*(\d+)(?:\s*:\s*(\d+))?\s*\z/
        private_constant :PATTERN

        def parse(value)
          least, most = bounds(value)
          least = 1 if least.zero?
          refuse unless least.between?(1, most) && most <= MAX
          (least..most)
        end

        def allowed
          "MIN:MAX or one number, such as 4:16 or 8, from 1 to #{MAX}, MIN not above MAX"
        end

        def placeholder
          "MIN:MAX"
        end

        def format(value)
          "#{value.min}:#{value.max}"
        end

        private

        def bounds(value)
          case value
          when Integer then [value, value]
          when Array then bounds(value.join(":"))
          when Range then bounds("#{value.min}:#{value.max}")
          else numbers(value)
          end
        end

        def numbers(value)
          match = PATTERN.match(value) if value.is_a?(String)
          refuse unless match
          [Integer(match[1], 10), Integer(match[2] || match[1], 10)]
        end
      end
    end
  end
end
