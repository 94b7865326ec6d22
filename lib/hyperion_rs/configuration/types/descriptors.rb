# frozen_string_literal: true

require_relative "list"
require_relative "number"

module HyperionRs
  class Configuration
    module Types
      # File descriptors that are open in this process; 0 to 2 are the standard streams.
      class Descriptors < List
        NUMBER = Number.new(3..0x7FFFFFFF)
        private_constant :NUMBER

        def parse(value)
          parse_each(value) { |number| NUMBER.parse(number) }
        end

        def allowed
          "numbers of open file descriptors from 3 on, several with commas"
        end

        def placeholder
          "FDS"
        end
      end
    end
  end
end
