# frozen_string_literal: true

# A point in time after which a wait gives up.
class Deadline
  def initialize(seconds)
    @end = now + seconds
  end

  def remaining
    [@end - now, 0].max
  end

  def passed?
    remaining.zero?
  end

  private

  def now
    Process.clock_gettime(Process::CLOCK_MONOTONIC)
  end
end
