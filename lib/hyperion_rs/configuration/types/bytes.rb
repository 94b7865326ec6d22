# frozen_string_literal: true

require_relative "number"

module HyperionRs
  class Configuration
    module Types
      # A size in bytes: a number, or a number with a binary unit ("64KiB", "16 MiB", "1GiB").
      class Bytes < Number
        UNITS = { "B" => 1, "KiB" => 1 << 10, "MiB" => 1 << 20, "GiB" => 1 << 30, "TiB" => 1 << 40 }.freeze
        FACTORS = UNITS.transform_keys(&:downcase).freeze
        WITH_UNIT = /\A\s*(\d+)\s*(B|KiB|MiB|GiB|TiB)\s*\z/i

        private_constant :FACTORS, :WITH_UNIT

        def initialize(range)
          super(range, placeholder: "SIZE")
        end

        def allowed
          "bytes, such as 65536, 64KiB, 16MiB or 1GiB, from #{format(range.begin)} to #{format(range.end)}"
        end

        def unit
          "bytes"
        end

        def format(value)
          name, factor = UNITS.reverse_each.find { |_, bytes| value >= bytes && (value % bytes).zero? }
          return value.to_s if name.nil? || factor == 1

          "#{value / factor} #{name}"
        end

        private

        def to_integer(value)
          match = WITH_UNIT.match(value) if value.is_a?(String)
          match ? Integer(match[1], 10) * FACTORS.fetch(match[2].downcase) : super
        end
      end
    end
  end
end
