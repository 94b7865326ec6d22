# frozen_string_literal: true

# Asks a server for "/" on a fresh connection every 50 ms, and once more at TERM; prints the milliseconds of each
# request, and those of CPU that the server has spent meanwhile, or what went wrong. A process of its own, so that the
# attack does not delay it.
# Arguments: the server's process, its port and its scheme.

require_relative "../raw_connection"

PERIOD = 0.05
PATIENCE = 15

def now(clock = Process::CLOCK_MONOTONIC)
  Process.clock_gettime(clock)
end

# The clock of what a process has spent of CPU; clock_getcpuclockid(3) answers the same.
def cpu_clock(pid)
  (~pid << 3) | 2
end

def ask(port, tls)
  connection = RawConnection.open(port, tls:)
  connection.write(Frames.headers(1))
  connection.wait_for_end(1, within: PATIENCE)
  connection.close
end

# The rest of the period.
def measure(server, port, tls)
  start = now
  spent = now(server)
  ask(port, tls)
  spent = now(server) - spent
  elapsed = now - start
  puts format("%<elapsed>.1f ms, %<spent>.1f ms of CPU", elapsed: elapsed * 1000, spent: spent * 1000)
  [PERIOD - elapsed, 0].max
rescue SystemCallError, RawConnection::Failed, OpenSSL::SSL::SSLError => e
  puts "failed: #{e.class}: #{e.message}"
  PERIOD
end

$stdout.sync = true
told, tell = IO.pipe
trap(:TERM) { tell.close }
target = [cpu_clock(Integer(ARGV.fetch(0), 10)), Integer(ARGV.fetch(1), 10), ARGV.fetch(2) == "https"]
nil until told.wait_readable(measure(*target))
measure(*target)
