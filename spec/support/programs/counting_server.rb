# frozen_string_literal: true

# Serves an app that answers, raises or does not know the path, until TERM, and then says what was counted, as JSON.
# Arguments: names and values of options.

require "json"
require "hyperion_rs"

app = lambda do |env|
  case env["PATH_INFO"]
  when "/" then [200, { "content-type" => "text/plain" }, ["hello"]]
  when "/error" then raise "as asked for"
  else [404, {}, []]
  end
end
metrics = HyperionRs::Metrics.new
options = { host: "127.0.0.1", port: 0, log_level: "fatal", **ARGV.each_slice(2).to_h.transform_keys(&:to_sym) }
logger = Logger.new(File::NULL)
server = HyperionRs::Server.new(app, options, logger:, metrics:)
server.bind
puts "bound to #{server.port}"
$stdout.flush
server.run
puts JSON.generate(counted: metrics.snapshot, text: metrics.to_prometheus)
