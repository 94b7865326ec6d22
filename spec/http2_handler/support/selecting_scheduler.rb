# frozen_string_literal: true

require "io/wait"

# The least of a Fiber scheduler: it waits for descriptors by IO.select, and for other threads by a pipe.
class SelectingScheduler
  Waiting = Struct.new(:fiber, :io, :events, :at)

  # Runs the block in a thread of its own, in a fiber that does not block; ends when all fibers have. Answers the
  # scheduler and the thread.
  def self.run(&block)
    scheduler = new
    thread = Thread.new do
      Fiber.set_scheduler(scheduler)
      Fiber.schedule(&block)
    end
    thread.report_on_exception = false
    [scheduler, thread]
  end

  attr_reader :fibers

  def initialize
    @waiting = []
    @blocked = {}
    @ready = Thread::Queue.new
    @wake, @ring = IO.pipe
    @fibers = 0
  end

  # All of Ruby's waits on descriptors come here.
  def io_wait(io, events, timeout)
    park(Waiting.new(Fiber.current, io, events, timeout && (now + timeout)))
  end

  def kernel_sleep(duration = nil)
    block(nil, duration)
  end

  def block(_blocker, timeout = nil)
    @blocked[Fiber.current] = timeout && (now + timeout)
    Fiber.yield
  end

  # Called from other threads, too.
  def unblock(_blocker, fiber)
    @ready << fiber
    @ring.write_nonblock(".", exception: false)
  end

  def fiber(&block)
    @fibers += 1
    Fiber.new(blocking: false) do
      block.call
    ensure
      @fibers -= 1
    end.tap(&:resume)
  end

  # The thread ends: what is left is run.
  def close
    step until @waiting.empty? && @blocked.empty? && @ready.empty?
    [@wake, @ring].each(&:close)
  end

  private

  def park(waiting)
    @waiting << waiting
    Fiber.yield
  ensure
    @waiting.delete(waiting)
  end

  def step
    resume_unblocked
    return if @waiting.empty? && @blocked.empty?

    readable = @waiting.select { |waiting| waiting.events.anybits?(IO::READABLE) }.map(&:io)
    writable = @waiting.select { |waiting| waiting.events.anybits?(IO::WRITABLE) }.map(&:io)
    ready = IO.select([@wake, *readable], writable, nil, patience) || [[], []]
    @wake.read_nonblock(64, exception: false) if ready.first.include?(@wake)
    resume_ready(*ready)
    resume_late
    resume_unblocked
  end

  def resume_ready(readable, writable, *)
    @waiting.dup.each do |waiting|
      events = (readable.include?(waiting.io) ? IO::READABLE : 0) | (writable.include?(waiting.io) ? IO::WRITABLE : 0)
      events &= waiting.events
      next if events.zero? || !@waiting.delete(waiting)

      waiting.fiber.resume(events)
    end
  end

  def resume_late
    @waiting.select { |waiting| late?(waiting.at) }.each { |waiting| @waiting.delete(waiting)&.fiber&.resume(false) }
    @blocked.select { |_, at| late?(at) }.each_key { |fiber| fiber.resume(false) if @blocked.delete(fiber) }
  end

  def resume_unblocked
    until @ready.empty?
      fiber = @ready.pop
      next unless @blocked.key?(fiber)

      @blocked.delete(fiber)
      fiber.resume(true)
    end
  end

  def patience
    ends = (@waiting.filter_map(&:at) + @blocked.values.compact).min
    ends ? [ends - now, 0].max : 5
  end

  def late?(time)
    time && time <= now
  end

  def now
    Process.clock_gettime(Process::CLOCK_MONOTONIC)
  end
end
