# frozen_string_literal: true

# Serves an app in a server of the async library, a fiber a connection:
#
#     ruby -Ilib examples/embedded_async.rb 8080
#     curl --http2-prior-knowledge http://localhost:8080/
#
# A connection that is served costs its fiber no thread, and the reactor of the library runs on. The app is called in
# threads of the handler's pool: it need not know of fibers.

require "async"
require "hyperion_rs"
require "socket"

app = lambda do |env|
  [200, { "content-type" => "text/plain" }, ["hello over #{env['SERVER_PROTOCOL']} from #{env['REMOTE_ADDR']}\n"]]
end

handler = HyperionRs::Http2Handler.new(app:)

Async do |task|
  listener = TCPServer.new("localhost", Integer(ARGV.first || 8080))
  puts "listening on port #{listener.local_address.ip_port}"
  $stdout.flush

  # What else the program has to do goes on meanwhile.
  connections = 0
  task.async do
    loop do
      sleep 0.1
      next if connections.zero?

      puts "#{connections} connections"
      $stdout.flush
      connections = 0
    end
  end

  loop do
    socket = listener.accept
    connections += 1
    task.async { handler.serve(socket) }
  end
end
