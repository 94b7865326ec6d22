# frozen_string_literal: true

require_relative "deadline"

# For what changes without telling anybody, such as the files under /proc.
module Eventually
  PERIOD = 0.02

  # Asks the block until it answers true.
  def eventually(what, within: 30)
    deadline = Deadline.new(within)
    until yield
      raise "not within #{within} s: #{what}" if deadline.passed?

      sleep(PERIOD)
    end
  end
end
