# frozen_string_literal: true

require_relative "base"

module HyperionRs
  class Configuration
    module Types
      # A whole number within a range.
      class Number < Base
        attr_reader :range, :placeholder

        def initialize(range, placeholder: "N")
          super()
          @range = range
          @placeholder = placeholder
        end

        def parse(value)
          number = to_integer(value)
          refuse unless range.cover?(number)
          number
        end

        def allowed
          "a whole number from #{range.begin} to #{range.end}"
        end

        private

        def to_integer(value)
          case value
          when Integer then value
          when /\A\s*-?\d+(_\d+)*\s*\z/ then Integer(value, 10)
          else refuse
          end
        end
      end
    end
  end
end
