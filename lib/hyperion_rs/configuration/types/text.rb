# frozen_string_literal: true

require_relative "base"

module HyperionRs
  class Configuration
    module Types
      # A String that matches a pattern.
      class Text < Base
        attr_reader :placeholder, :allowed

        def initialize(pattern, allowed:, placeholder:)
          super()
          @pattern = pattern
          @allowed = allowed
          @placeholder = placeholder
        end

        def parse(value)
          text = value.is_a?(Symbol) ? value.to_s : value
          refuse unless text.is_a?(String) && @pattern.match?(text)
          text
        end
      end
    end
  end
end
