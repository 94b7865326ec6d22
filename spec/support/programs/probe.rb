# frozen_string_literal: true

# Asks a server for "/" on a fresh connection every 50 ms until TERM; prints the milliseconds of each request, or what
# went wrong with it. A process of its own, so that nothing but the server can delay it.

require_relative "../raw_connection"

PERIOD = 0.05
PATIENCE = 15

def now
  Process.clock_gettime(Process::CLOCK_MONOTONIC)
end

def ask(port, tls)
  connection = RawConnection.open(port, tls:)
  connection.write(Frames.headers(1))
  connection.wait_for_end(1, within: PATIENCE)
  connection.close
end

def measure(port, tls)
  start = now
  ask(port, tls)
  elapsed = now - start
  puts format("%.1f ms", elapsed * 1000)
  sleep([PERIOD - elapsed, 0].max)
rescue SystemCallError, RawConnection::Failed, OpenSSL::SSL::SSLError => e
  puts "failed: #{e.class}: #{e.message}"
  sleep(PERIOD)
end

$stdout.sync = true
trap(:TERM) { exit }
port = Integer(ARGV.fetch(0), 10)
tls = ARGV.fetch(1) == "https"
loop { measure(port, tls) }
