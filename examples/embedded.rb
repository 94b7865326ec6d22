# frozen_string_literal: true

# Serves an app from a loop of one's own, a thread a connection:
#
#     ruby -Ilib examples/embedded.rb 8080
#     curl --http2-prior-knowledge http://localhost:8080/
#
# With a certificate and its key after the port, or with "dev", it speaks TLS:
#
#     ruby -Ilib examples/embedded.rb 8443 dev
#     curl -k --http2 https://localhost:8443/
#
# INT and TERM end it when the requests in flight are finished.

require "hyperion_rs"
require "socket"

port, *identity = ARGV
tls = identity.size > 1 ? %i[cert key].zip(identity).to_h : identity.first

app = lambda do |env|
  [200, { "content-type" => "text/plain" }, ["hello over #{env['SERVER_PROTOCOL']} from #{env['REMOTE_ADDR']}\n"]]
end

# At most 512 requests at once, in all handlers that share it.
admission = HyperionRs::H2Admission.new(512)
handler = HyperionRs::Http2Handler.new(app:, tls:, h2_admission: admission)

listener = TCPServer.new("localhost", Integer(port || 8080))
puts "listening on port #{listener.local_address.ip_port}"
$stdout.flush

# A trap handler may not wait: it wakes the main thread.
stop = Thread::Queue.new
%w[INT TERM].each { |name| trap(name) { stop << name } }

connections = ThreadGroup.new
acceptor = Thread.new do
  loop { connections.add(Thread.new(listener.accept) { |socket| handler.serve(socket) }) }
end

stop.pop
acceptor.kill
listener.close
handler.shutdown
connections.list.each(&:join)
