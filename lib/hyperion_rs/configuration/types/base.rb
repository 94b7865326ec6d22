# frozen_string_literal: true

module HyperionRs
  class Configuration
    module Types
      # What a type refuses. Option adds the option's name and where the value came from.
      class Invalid < StandardError
      end

      # One kind of option value. `parse` takes what a flag or an environment variable gives (a String) as well as what
      # Ruby code gives, and returns the typed value or raises Invalid.
      class Base
        # The values that parse takes, in words that complete "allowed: …".
        def allowed
          raise NotImplementedError
        end

        # The value's place in `--help`, as in `--port PORT`.
        def placeholder
          raise NotImplementedError
        end

        # A typed value in the words a person would use to set it.
        def format(value)
          value.to_s
        end

        # What a plain number of this type counts, if the type says it.
        def unit
          nil
        end

        # Whether the option is a switch.
        def boolean?
          false
        end

        # Whether giving the option again adds to it.
        def list?
          false
        end

        private

        def refuse
          raise Invalid
        end
      end
    end
  end
end
