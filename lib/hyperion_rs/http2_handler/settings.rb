# frozen_string_literal: true

require_relative "../configuration"

module HyperionRs
  class Http2Handler
    # The SETTINGS that a handler was given, each within what the specification allows.
    class Settings
      def initialize(given, logger)
        @logger = logger
        @values = (given || {}).each_with_object({}) do |(key, value), values|
          name = key.to_s.to_sym
          next if value.nil?
          next unknown(key) unless SETTINGS_KEY_MAP.key?(name)

          values[name] = clamp(name, value)
        end
        freeze
      end

      # By name; those that were not given are missing.
      def to_h
        @values
      end

      private

      def unknown(setting)
        @logger.warn { { message: "unknown h2 setting; skipping", setting: } }
      end

      def clamp(name, value)
        setting = Configuration::OPTIONS[:"h2_#{name}"].parse(value, "h2_settings")
        setting.notices.each { |notice| @logger.warn { notice.to_h } }
        setting.value
      end
    end
  end
end
