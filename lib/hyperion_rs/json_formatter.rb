# frozen_string_literal: true

require "json"
require "logger"

module HyperionRs
  # A formatter for Ruby's Logger that writes one JSON object a line. The fields of a message that is a Hash stand
  # beside the time and the level.
  #
  #     Logger.new($stdout, formatter: HyperionRs::JsonFormatter.new)
  class JsonFormatter < Logger::Formatter
    TIME = "%Y-%m-%dT%H:%M:%S.%6N%:z"

    private_constant :TIME

    def call(severity, time, progname, message)
      line = { time: time.strftime(TIME), level: severity.downcase, program: progname }.compact
      "#{JSON.generate(line.merge(fields(message)).transform_values { |value| presentable(value) })}\n"
    end

    private

    def fields(message)
      message.is_a?(Hash) ? message.transform_keys(&:to_sym) : { message: msg2str(message) }
    end

    # Other encodings, and bytes of a peer's that are none, have no place in JSON.
    def presentable(value)
      return value unless value.is_a?(String)

      value.encode(Encoding::UTF_8, invalid: :replace, undef: :replace).scrub
    end
  end
end
