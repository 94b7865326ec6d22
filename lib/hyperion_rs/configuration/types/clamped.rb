# frozen_string_literal: true

require_relative "number"

module HyperionRs
  class Configuration
    module Types
      # A number whose limits are the HTTP/2 specification's, or what clients can work with: beyond them it is moved to
      # the nearest and a notice given, since a peer could not work with what was asked for and the nearest value is
      # what was meant.
      class Clamped < Base
        ANY = (-(2**63)..(2**63))
        private_constant :ANY

        attr_reader :range

        # `setting` is the name in the notice; `type` a Number class; `minimum` says where the lower limit is from.
        def initialize(setting, range, type: Number, minimum: "spec")
          super()
          @setting = setting
          @range = range
          @minimum = minimum
          @limits = type.new(range)
          @unlimited = type.new(ANY)
        end

        # Yields a Notice when the value had to be moved.
        def parse(value)
          number = @unlimited.parse(value)
          return number if range.cover?(number)

          number.clamp(range).tap { |clamped| yield notice(number, clamped) if block_given? }
        end

        def allowed
          "#{@limits.allowed} (beyond that it is clamped)"
        end

        def placeholder
          @limits.placeholder
        end

        def unit
          @limits.unit
        end

        def format(value)
          @limits.format(value)
        end

        private

        def notice(configured, clamped)
          problem = configured < clamped ? "below #{@minimum} minimum" : "above spec maximum"
          Notice.new("h2 #{@setting} #{problem}; clamping", configured, clamped)
        end
      end
    end
  end
end
