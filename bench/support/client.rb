# frozen_string_literal: true

require "json"
require "timeout"
require_relative "failure"
require_relative "native_programs"

module Bench
  # The client of our own (examples/load of the core), for what h2load cannot do.
  class Client
    # Seconds that it may take beyond the time it was told to run.
    PATIENCE = 60

    def initialize(server, path)
      @target = ["--url", server.url(path), "--protocol", server.protocol]
    end

    # Requests at a fixed rate, whatever the answers take.
    def rate(rate, seconds)
      # HTTP/1.1 carries one request at a time.
      connections = @target.last == "h2" ? 8 : 64
      answer = run("rate", "--rate", rate.to_s, "--seconds", seconds.to_s, "--connections", connections.to_s,
                   within: seconds + PATIENCE)
      Result.new(**answer.slice(:rate, :done, :failed, :mean, :p50, :p99))
    end

    # New connections a second, each with one request, and how many of them failed.
    def connections(seconds, at_once)
      run("connect", "--seconds", seconds.to_s, "--connections", at_once.to_s, within: seconds + PATIENCE)
        .values_at(:rate, :failed)
    end

    # Yields while so many idle connections are held; answers how many of them still served a request in the end.
    def hold(count)
      IO.popen(command("idle", "--connections", count.to_s), "r+", err: %i[child out]) do |client|
        held = parse(read(client, PATIENCE, &:gets))[:held]
        raise Failure, "#{held} of #{count} connections could be made" if held < count

        yield
        client.close_write
        parse(read(client, PATIENCE, &:read))[:alive]
      end
    end

    private

    def command(mode, *arguments)
      [NativePrograms.path("load"), mode, *@target, *arguments]
    end

    def run(*arguments, within:)
      IO.popen(command(*arguments), err: %i[child out]) { |client| parse(read(client, within, &:read)) }
    end

    def read(client, seconds, &block)
      Timeout.timeout(seconds) { block.call(client) }
    rescue Timeout::Error
      Process.kill(:KILL, client.pid)
      raise Failure, "the client did not end after #{seconds} s"
    end

    # The answer is the last line, below what there was to complain about.
    def parse(output)
      JSON.parse(output.to_s.lines.last.to_s, symbolize_names: true)
    rescue JSON::ParserError
      raise Failure, "the client failed: #{output}"
    end
  end
end
