# frozen_string_literal: true

require_relative "options"

module HyperionRs
  class Configuration
    # The settings of one source, such as the command line. Each is checked when it is set.
    class Layer
      # The error for a name that is no option, with the nearest of `candidates`. Their common prefix is left out of the
      # comparison.
      def self.unknown(name, origin, candidates, prefix: "")
        dictionary = candidates.map { |candidate| candidate.to_s.delete_prefix(prefix) }
        nearest = DidYouMean::SpellChecker.new(dictionary:).correct(name.to_s.delete_prefix(prefix)).first
        hint = nearest ? "did you mean #{prefix}#{nearest}?" : "see hyperion-rs --help"
        ConfigurationError.new("unknown option #{name} (from #{origin}); #{hint}")
      end

      def initialize
        @settings = {}
      end

      # Sets an option from a raw value. An option that is a list grows.
      def set(name, raw, origin)
        option = OPTIONS[name]
        setting = option.parse(raw, origin)
        earlier = @settings[name]
        setting.value = (earlier.value | setting.value).freeze if earlier && option.type.list?
        @settings[name] = setting
      end

      # The Setting, or nil.
      def [](name)
        @settings[name]
      end

      # As `set`, from a Hash of option names. `origin` makes the words for where a name's value came from; nil values
      # count as not given.
      def merge(values, candidates: OPTIONS.names)
        values.each do |key, value|
          name = key.to_sym
          raise Layer.unknown(name, yield(name), candidates) unless candidates.include?(name)

          set(name, value, yield(name)) unless value.nil?
        end
        self
      end
    end
  end
end
