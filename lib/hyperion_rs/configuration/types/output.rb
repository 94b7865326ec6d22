# frozen_string_literal: true

require_relative "path"

module HyperionRs
  class Configuration
    module Types
      # Where lines are written: a path, or "-" for standard output.
      class Output < Path
        STANDARD = "-"

        def parse(value)
          value == STANDARD ? value : super
        end

        def allowed
          "a path, or - for standard output"
        end
      end
    end
  end
end
