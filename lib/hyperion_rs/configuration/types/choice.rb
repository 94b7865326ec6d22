# frozen_string_literal: true

require_relative "base"

module HyperionRs
  class Configuration
    module Types
      # One word of a fixed set.
      class Choice < Base
        def initialize(*words)
          super()
          @words = words
        end

        def parse(value)
          word = value.to_s.strip.downcase
          refuse unless @words.include?(word)
          word
        end

        def allowed
          @words.size == 1 ? "only #{@words.first}" : "#{@words[..-2].join(', ')} or #{@words.last}"
        end

        def placeholder
          @words.join("|")
        end
      end
    end
  end
end
