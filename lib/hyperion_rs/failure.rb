# frozen_string_literal: true

module HyperionRs
  # Tells a person why the server did not start.
  module Failure
    # Prints one line, with the backtrace and the causes after it when `debug` is set.
    def self.report(error, debug:, output: $stderr)
      output.puts "hyperion-rs: #{error.message.lines.map(&:strip).reject(&:empty?).join(' ')}"
      output.puts error.full_message(highlight: false) if debug
    end
  end
end
