# frozen_string_literal: true

require_relative "deadline"

# A process whose output is collected while it runs, so that a spec can wait for a line of it or for its end.
class ChildProcess
  # Why a wait ended without what it was for; carries the output.
  class Failed < StandardError
  end

  # The environment of the developer must not reach the servers under test.
  FOREIGN = %w[PORT RAILS_MAX_THREADS RACK_ENV RAILS_ENV HYPERION_H2_TIMING RUBYOPT RUBYLIB BUNDLE_GEMFILE].freeze
  NEUTRAL = FOREIGN.to_h { |name| [name, nil] }.freeze
  # A process that has not ended by then never will.
  LAST_RESORT = 30

  Result = Struct.new(:status, :out, :err)

  # Runs a command to its end and answers its Result.
  def self.run(*command, within: 60, **options)
    process = new(*command, **options)
    Result.new(process.wait(within:), process.out, process.err)
  ensure
    process&.kill
  end

  attr_reader :pid

  def initialize(*command, env: {}, directory: Dir.pwd)
    @command = command
    @buffers = { out: +"", err: +"" }
    @changed = ConditionVariable.new
    @lock = Mutex.new
    spawn(NEUTRAL.merge(env), directory)
  end

  def out
    snapshot(:out)
  end

  def err
    snapshot(:err)
  end

  # All that it printed.
  def log
    out + err
  end

  # The MatchData of the first output, on either stream, that matches.
  def wait_for(pattern, within: 30)
    wait_until(pattern, within) { find(pattern) }
  end

  # Runs the block, and waits until the pattern was printed once more than before it; answers what the block did.
  def wait_for_another(pattern, within: 30)
    before = @lock.synchronize { count(pattern) }
    yield.tap { wait_until(pattern, within) { count(pattern) > before } }
  end

  # The exit status.
  def wait(within:)
    raise Failed, failure("did not end within #{within} s") unless @waiter.join(within)

    @readers.each { |reader| reader.join(LAST_RESORT) }
    @waiter.value
  end

  def signal(name)
    Process.kill(name, @pid)
  end

  def running?
    @waiter.alive?
  end

  # Ends it, whatever it does.
  def kill
    Process.kill(:KILL, @pid) if running?
    @waiter.join(LAST_RESORT)
  rescue Errno::ESRCH
    nil # It ended by itself just now.
  end

  private

  def spawn(env, directory)
    pipes = { out: IO.pipe, err: IO.pipe }
    writers = pipes.transform_values(&:last)
    @pid = Process.spawn(env, *@command, chdir: directory, in: File::NULL, **writers)
    writers.each_value(&:close)
    @waiter = Process.detach(@pid)
    @open = pipes.size
    @readers = pipes.map { |name, (reader, _)| Thread.new { collect(reader, @buffers.fetch(name)) } }
  end

  def collect(reader, buffer)
    while (chunk = reader.readpartial(65_536))
      @lock.synchronize do
        buffer << chunk.force_encoding(Encoding::UTF_8)
        @changed.broadcast
      end
    end
  rescue EOFError
    @lock.synchronize do
      @open -= 1
      @changed.broadcast
    end
  ensure
    reader.close
  end

  # What the block answers, which looks at the output, once that is true.
  def wait_until(pattern, within)
    deadline = Deadline.new(within)
    found = @lock.synchronize do
      @changed.wait(@lock, deadline.remaining) until (answer = yield) || @open.zero? || deadline.passed?
      answer
    end
    found || raise(Failed, failure("did not print #{pattern.inspect} within #{within} s, or ended"))
  end

  def find(pattern)
    @buffers.each_value.filter_map { |text| pattern.match(text.scrub) }.first
  end

  def count(pattern)
    @buffers.each_value.sum { |text| text.scrub.scan(pattern).size }
  end

  def snapshot(name)
    @lock.synchronize { @buffers.fetch(name).dup }
  end

  def failure(problem)
    "#{@command.join(' ')} #{problem}; it printed:\n#{log}"
  end
end
