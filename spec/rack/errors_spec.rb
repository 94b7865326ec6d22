# frozen_string_literal: true

require_relative "rack_helper"

RSpec.describe "errors of the app" do
  app = <<~'RACKUP'
    require "timeout"
    class Odd < StandardError
      def message = raise("no message either")
    end
    def deep(depth) = deep(depth + 1) + 1
    raisers = {
      "standard" => -> { raise "standard failed" },
      "cause" => -> { begin; raise "the cause"; rescue => e; raise ArgumentError, "the effect"; end },
      "script" => -> { raise NotImplementedError, "script failed" },
      "load" => -> { require "no/such/file" },
      "no-memory" => -> { raise NoMemoryError, "memory failed" },
      "huge" => -> { "x" * (2**62 - 1) },
      "stack" => -> { deep(0) },
      "exit" => -> { exit 3 },
      "abort" => -> { abort "abort failed" },
      "throw" => -> { throw :nowhere },
      "timeout" => -> { Timeout.timeout(0.05) { sleep } },
      "interrupt" => -> { raise Interrupt, "interrupt failed" },
      "exception" => -> { raise Exception, "exception failed" },
      "bytes" => -> { raise "bytes \xff\x00 failed".b },
      "odd" => -> { raise Odd },
      "percent" => -> { raise "%s%n%s failed" },
      "return" => -> { Thread.new { Thread.current.report_on_exception = false; raise "joined failed" }.join }
    }
    run lambda { |env|
      kind = env["PATH_INFO"][%r{[^/]+\z}]
      case env["PATH_INFO"]
      when %r{\A/call/} then raisers.fetch(kind).call
      when %r{\A/body/} then [200, {}, Enumerator.new { |yielder| yielder << "begun"; raisers.fetch(kind).call }]
      when "/kill" then Thread.current.kill
      when "/pid" then [200, {}, [Process.pid.to_s]]
      else [200, {}, ["fine"]]
      end
    }
  RACKUP

  serve app, lint: false

  reports = {
    "standard" => /standard failed \(RuntimeError\)/, "cause" => /the effect \(ArgumentError\).*the cause/m,
    "script" => /script failed \(NotImplementedError\)/,
    "load" => %r{cannot load such file -- no/such/file \(LoadError\)},
    "no-memory" => /memory failed \(NoMemoryError\)/, "huge" => /\((NoMemoryError|ArgumentError)\)/,
    "stack" => /stack level too deep \(SystemStackError\)/, "exit" => /exit \(SystemExit\)/,
    "abort" => /abort failed \(SystemExit\)/, "throw" => /uncaught throw :nowhere \(UncaughtThrowError\)/,
    "timeout" => /execution expired \(Timeout::Error\)/, "interrupt" => /interrupt failed \(Interrupt\)/,
    "exception" => /exception failed \(Exception\)/, "bytes" => /bytes .* failed/, "odd" => /no message either|Odd/,
    "percent" => /%s%n%s failed/, "return" => /joined failed \(RuntimeError\)/
  }

  reports.each do |kind, report|
    it "answer 500 for #{kind}, with a full report in the log" do
      response = fetch("/call/#{kind}")
      expect(response).to include(status: 500, body: "Internal Server Error", reset: "NO_ERROR")
      expect(values(response, "content-type")).to eq(["text/plain"])
      expect(server.wait_for(%r{ERROR -- hyperion-rs: GET /call/#{kind}: .*#{report}}m)).to be_truthy
    end

    it "reset the stream for #{kind}, once the head was sent" do
      expect(fetch("/body/#{kind}")).to include(status: 200, reset: "INTERNAL_ERROR")
      server.wait_for(%r{ERROR -- hyperion-rs: GET /body/#{kind}: .*#{report}}m)
    end
  end

  it "are reported with a backtrace" do
    fetch("/call/standard")
    place = /\S+config.ru:\d+:in /
    server.wait_for(%r{GET /call/standard: #{place}.*standard failed \(RuntimeError\)\n\s+from #{place}})
  end

  it "leave the process as it was" do
    pid = fetch("/pid")[:body]
    reports.each_key { |kind| fetch("/call/#{kind}") }
    expect([fetch("/pid")[:body], pid]).to eq([server.pid.to_s] * 2)
  end

  describe "that end the thread" do
    serve app, lint: false, options: { threads: "2:2" }

    it "answer 500, and the thread is replaced" do
      # More often than there are threads.
      5.times { expect(fetch("/kill")).to include(status: 500, body: "Internal Server Error") }
      server.wait_for(/a worker thread died and is replaced/)
      expect(fetch("/")).to include(status: 200, body: "fine")
      eventually { worker_count == 2 }
    end
  end
end
