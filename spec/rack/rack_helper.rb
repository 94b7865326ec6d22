# frozen_string_literal: true

require "json"
require "rack"
require "tmpdir"
require_relative "support/evaluator"

# A real server for a group of examples, and a client that tells whatever happens.
module RackHelper
  LINT = "require \"rack\"\nuse Rack::Lint\n"
  # What no server may ever print.
  DISASTERS = /panicked|\[BUG\]|Segmentation|fatal runtime error|assertion failed/

  # For the group itself.
  module Group
    # One server for all examples of the group; it has to end well when they are done.
    def serve(app, **options)
      before(:context) do
        @server = start(app, **options)
        @evaluator = Evaluator.new
      end
      after(:context) do
        @evaluator&.kill
      ensure
        finish(@server)
      end
    end
  end

  attr_reader :server

  # A server for the block alone; the block may stop it.
  def with_server(app, **options)
    @server = start(app, **options)
    @evaluator = Evaluator.new
    yield
    finish(@server) if @server.running?
  ensure
    @evaluator&.kill
    @server&.kill
  end

  # Further arguments are those of ServerProcess.start.
  def start(app, lint: true, tls: true, env: {}, **process)
    directory = Dir.mktmpdir("rack", ServerHelper.data_home)
    file = File.join(directory, "config.ru").tap { |path| File.write(path, "#{LINT if lint}#{app}") }
    process[:options] = { tls: "dev", **process.fetch(:options, {}) } if tls
    env = { "XDG_DATA_HOME" => ServerHelper.data_home, **env }
    ServerProcess.start(file, env:, directory:, **process)
  end

  # Stops it as its user would.
  def finish(server)
    return unless server

    status = server.stop
    raise "the server ended with #{status}:\n#{server.log}" unless status.exitstatus&.zero?
    raise "the server suffered:\n#{server.err}" if server.err.match?(DISASTERS)
  ensure
    server&.kill
  end

  # Runs the body of an async function, which knows `url`, a `session` of its own and all of client.js; answers what it
  # returns.
  def js(script, within: 60)
    @evaluator.evaluate(server.url, script, within:)
  rescue Evaluator::Failed => e
    # It may be busy with that script for ever.
    @evaluator.kill
    raise ChildProcess::Failed, "#{e.message}\n#{server.err}"
  end

  # One exchange, told in full.
  def fetch(path, headers = {}, body = nil)
    arguments = [path, headers, *body].map { |argument| latin1(argument).to_json }
    js("return exchange(session, #{arguments.join(', ')});")
  end

  # The values of a response header.
  def values(response, name)
    response[:headers].filter_map { |key, value| value if key == name }
  end

  # Sends a request and answers its frames as nghttp saw them: [type, flags, length], for its stream alone.
  def frames(path, *arguments)
    result = ChildProcess.run("nghttp", "--no-verify-peer", "-nv", *arguments, server.url(path))
    result.out.scrub.scan(/recv (HEADERS|DATA|RST_STREAM) frame <length=(\d+), flags=0x(\h+), stream_id=\d+>/)
          .map { |type, length, flags| [type, flags.hex, length.to_i] }
  end

  # Resident memory in MB.
  def resident
    File.read("/proc/#{server.pid}/status")[/^VmRSS:\s+(\d+)/, 1].to_i / 1024.0
  end

  # Bytes in the server's temporary files.
  def spilled
    Dir.glob("/proc/#{server.pid}/fd/*").sum { |descriptor| size_of(descriptor) }
  end

  # The Ruby threads that serve, by the names that the kernel knows.
  def worker_count
    Dir.glob("/proc/#{server.pid}/task/*/comm").count { |file| comm(file).start_with?("hyperion-rs ") }
  end

  # Waits until the block is true.
  def eventually(within: 30)
    deadline = Deadline.new(within)
    until (value = yield)
      raise "it did not come to be within #{within} s" if deadline.passed?

      IO.select(nil, nil, nil, 0.01)
    end
    value
  end

  private

  def comm(file)
    File.read(file)
  rescue Errno::ENOENT, Errno::ESRCH
    "" # It ended just now.
  end

  # Of a file that has no name any more.
  def size_of(descriptor)
    File.readlink(descriptor).end_with?(" (deleted)") ? File.stat(descriptor).size : 0
  rescue Errno::ENOENT
    0 # It was closed just now.
  end

  def latin1(value)
    case value
    when Hash then value.transform_values { |inner| latin1(inner) }
    when Array then value.map { |inner| latin1(inner) }
    when String then value.dup.force_encoding(Encoding::ISO_8859_1).encode(Encoding::UTF_8)
    else value
    end
  end
end

RSpec::Matchers.define_negated_matcher :not_include, :include

RSpec.configure do |config|
  rooms = %r{/spec/(rack|hijack|websocket)/}
  config.include RackHelper, file_path: rooms
  config.include Http2Client, file_path: rooms
  config.extend RackHelper::Group, file_path: rooms
end
