# frozen_string_literal: true

# A logger of the kind that handlers are given: each method takes a block, and nothing else.
class RecordingLogger
  def initialize
    @lines = Thread::Queue.new
    @all = []
    @lock = Mutex.new
  end

  %i[debug info warn error].each do |level|
    define_method(level) do |&block|
      line = block.call
      @lock.synchronize { @all << { level:, **line } }
      nil
    end
  end

  # All lines so far, or those with this message.
  def lines(message = nil)
    @lock.synchronize { message ? @all.select { |line| line[:message] == message } : @all.dup }
  end
end

# Metrics of the kind that handlers are given.
class RecordingMetrics
  def initialize
    @lock = Mutex.new
    @numbers = Hash.new(0)
  end

  def increment(key)
    add(key, 1)
  end

  def decrement(key)
    add(key, -1)
  end

  def increment_status(status)
    add([:status, status], 1)
  end

  def tick_worker_request(worker_id)
    add([:worker, worker_id], 1)
  end

  def [](key)
    @lock.synchronize { @numbers[key] }
  end

  private

  def add(key, count)
    @lock.synchronize { @numbers[key] += count }
  end
end

# An admission object that is not of the gem's.
class RecordingAdmission
  attr_reader :released

  def initialize(max)
    @max = max
    @lock = Mutex.new
    @in_flight = @rejected = @released = 0
  end

  def admit
    @lock.synchronize do
      admitted = @in_flight < @max
      admitted ? @in_flight += 1 : @rejected += 1
      admitted
    end
  end

  def release
    @lock.synchronize do
      @in_flight -= 1
      @released += 1
    end
  end

  def stats
    @lock.synchronize { { in_flight: @in_flight, rejected: @rejected, max: @max } }
  end
end
