# frozen_string_literal: true

require_relative "deadline"

# Hands one value from a thread to another, which waits for it with a deadline.
class Latch
  def initialize
    @lock = Mutex.new
    @opened = ConditionVariable.new
    @values = []
  end

  def open(value = true) # rubocop:disable Style/OptionalBooleanParameter -- any value may be handed over
    @lock.synchronize do
      @values << value
      @opened.broadcast
    end
  end

  # How often it was opened.
  def size
    @lock.synchronize { @values.size }
  end

  # The first value that it was opened with.
  def wait(seconds = 30)
    deadline = Deadline.new(seconds)
    @lock.synchronize do
      @opened.wait(@lock, deadline.remaining) until @values.any? || deadline.passed?
      @values.fetch(0) { raise "nothing came within #{seconds} s" }
    end
  end
end
