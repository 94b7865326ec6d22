# frozen_string_literal: true

require_relative "base"

module HyperionRs
  class Configuration
    module Types
      # A path, made absolute against the working directory at the time it is given.
      class Path < Base
        attr_reader :placeholder

        def initialize(placeholder: "FILE")
          super()
          @placeholder = placeholder
        end

        def parse(value)
          refuse unless value.is_a?(String) || value.respond_to?(:to_path)
          path = value.respond_to?(:to_path) ? value.to_path : value
          refuse if path.strip.empty? || path.include?("\0")
          File.expand_path(path)
        rescue ArgumentError # "~unknown-user"
          refuse
        end

        def allowed
          "a path"
        end
      end
    end
  end
end
