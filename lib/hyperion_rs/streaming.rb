# frozen_string_literal: true

require_relative "empty_input"
require_relative "streaming_input"
require_relative "pipe_input"
require_relative "spilled_input"
require_relative "stream"

module HyperionRs
  # Sends what a body yields, chunk by chunk.
  EACH_CHUNK = ->(body, writer) { body.each { |chunk| writer.write(chunk) } }
end
