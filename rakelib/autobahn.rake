# frozen_string_literal: true

# Starts the echo of spec/websocket on a server and answers what became of each of Autobahn's cases.
module AutobahnTrial
  APP = File.expand_path("../spec/websocket/app.ru", __dir__)

  module_function

  def with_hyperion_rs
    server = ServerProcess.start(APP)
    Autobahn.results("ws://127.0.0.1:#{server.port}/driver")
  ensure
    server&.kill
  end

  def with_puma
    server = ChildProcess.new("puma", "--bind", "tcp://127.0.0.1:0", APP)
    port = server.wait_for(%r{Listening on http://127\.0\.0\.1:(\d+)})[1]
    Autobahn.results("ws://127.0.0.1:#{port}/driver")
  ensure
    server&.kill
  end
end

desc "Run all of Autobahn's cases here and on Puma; fails when one differs"
task autobahn: :compile do
  require_relative "../spec/support/server_process"
  require_relative "../spec/websocket/support/autobahn"

  ours = AutobahnTrial.with_hyperion_rs
  theirs = AutobahnTrial.with_puma
  tally = ours.values.map(&:first).tally
  puts "#{ours.size} cases: #{tally.map { |behavior, count| "#{count} #{behavior}" }.join(', ')}"
  differing = ours.reject { |name, result| theirs[name] == result }
  differing.each { |name, result| puts "#{name}: #{result.join(', ')}; on Puma #{theirs[name]&.join(', ')}" }
  abort "#{differing.size} cases differ" if differing.any?
end
