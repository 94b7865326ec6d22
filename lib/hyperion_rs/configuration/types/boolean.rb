# frozen_string_literal: true

require_relative "base"

module HyperionRs
  class Configuration
    module Types
      # on/off, true/false, yes/no, 1/0.
      class Boolean < Base
        WORDS = {
          "on" => true, "true" => true, "yes" => true, "1" => true,
          "off" => false, "false" => false, "no" => false, "0" => false
        }.freeze
        private_constant :WORDS

        def parse(value)
          WORDS.fetch(value.to_s.strip.downcase) { refuse }
        end

        def allowed
          "on, off, true, false, yes, no, 1 or 0"
        end

        def placeholder
          "on|off"
        end

        def format(value)
          value ? "on" : "off"
        end

        def boolean?
          true
        end
      end
    end
  end
end
