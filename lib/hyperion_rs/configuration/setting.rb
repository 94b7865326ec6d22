# frozen_string_literal: true

module HyperionRs
  class Configuration
    # A typed value, the words for where it came from (a flag, an environment variable, file:line), and the notices
    # that its parsing gave.
    Setting = Struct.new(:value, :origin, :notices)

    # A value that was accepted but changed. `to_h` holds the fields of a structured log line.
    Notice = Struct.new(:message, :configured, :clamped_to) do
      def to_s
        "#{message} configured=#{configured} clamped_to=#{clamped_to}"
      end
    end
  end
end
