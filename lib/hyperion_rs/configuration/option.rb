# frozen_string_literal: true

require_relative "../errors"
require_relative "setting"
require_relative "types"

module HyperionRs
  class Configuration
    # One row of the option table. The flag, the environment variable, the config file's method and the `-O` key are all
    # derived from its name.
    class Option
      ENV_PREFIX = "HYPERION_RS_"

      attr_reader :name, :type, :help, :group, :short

      # default::      what a user would write ("16MiB"), nil for unset, or the name of a method of Defaults
      # default_text:: what the help shows for a default that depends on the machine or another option
      # unit::         what a plain number counts
      # short::        one-letter flag
      # native::       whether the Rust side takes the value under the same name
      # scope::        :all, or :command when it has a meaning only before an app is loaded (not for `rackup -O`)
      # rubocop:disable Metrics/ParameterLists -- the columns of the table
      def initialize(name, type, help, group:, default: nil, default_text: nil, unit: nil, short: nil, native: false,
                     scope: :all)
        @name = name
        @type = type
        @help = help
        @group = group
        @default = default
        @default_text = default_text
        @unit = unit
        @short = short
        @native = native
        @scope = scope
        freeze
      end
      # rubocop:enable Metrics/ParameterLists

      def native?
        @native
      end

      def handler?
        @scope == :all
      end

      def flag
        "--#{name.to_s.tr('_', '-')}"
      end

      def env_name
        "#{ENV_PREFIX}#{name.to_s.upcase}"
      end

      def unit
        @unit || type.unit
      end

      # The Setting for a raw value. `origin` is where it came from.
      def parse(raw, origin)
        notices = []
        value = type.parse(raw) { |notice| notices << notice }
        Setting.new(value, origin, notices)
      rescue Types::Invalid
        raise ConfigurationError, "#{name}: #{raw.inspect} (from #{origin}) is not allowed; allowed: #{type.allowed}"
      end

      def default_setting(defaults)
        raw = @default.is_a?(Symbol) ? defaults.public_send(@default) : @default
        raw.nil? ? Setting.new(nil, "default", []) : parse(raw, "default")
      end

      # The default in the words of the help.
      def default_text
        return @default_text if @default_text
        return "none" if @default.nil?

        text = type.format(type.parse(@default))
        @unit ? "#{text} #{@unit}" : text
      end
    end
  end
end
