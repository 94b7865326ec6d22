# frozen_string_literal: true

require "json"

# A Node process that evaluates scripts with client.js at hand.
class Evaluator
  class Failed < StandardError
  end

  PROGRAM = File.join(__dir__, "evaluator.js")

  # What the script, the body of an async function, returns.
  def evaluate(url, script, within:)
    @pipe ||= IO.popen(["node", PROGRAM], "r+")
    @pipe.puts(JSON.generate(url:, script:))
    answer = JSON.parse(read_line(Deadline.new(within)), symbolize_names: true)
    raise Failed, answer[:error] if answer[:error]

    answer[:value]
  rescue EOFError, Errno::EPIPE => e
    raise Failed, "the client ended: #{e.message}"
  end

  # Ends it, whatever it does; it begins again with the next script.
  def kill
    return unless @pipe

    # Until it is waited for, in #close, its number is its own.
    Process.kill(:KILL, @pipe.pid)
    @pipe.close
    @pipe = nil
  end

  private

  def read_line(deadline)
    line = +""
    until line.end_with?("\n")
      raise Failed, "the script did not end in time" unless @pipe.wait_readable(deadline.remaining)

      line << @pipe.readpartial(65_536)
    end
    line
  end
end
