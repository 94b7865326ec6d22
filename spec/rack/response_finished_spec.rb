# frozen_string_literal: true

require_relative "rack_helper"

RSpec.describe "rack.response_finished" do
  app = <<~'RACKUP'
    run lambda { |env|
      kind = env["PATH_INFO"]
      %w[first second].each do |name|
        env["rack.response_finished"] << lambda { |given, status, headers, error|
          same = given.equal?(env) || given["PATH_INFO"] == kind
          $stderr.puts "#{kind} #{name} env:#{same} status:#{status.inspect} x:#{headers&.fetch("x-a", nil).inspect} " \
                       "error:#{error.is_a?(Exception) ? error.class : error.inspect}"
          raise "callback failed" if kind == "/callback-error"
        }
      end
      headers = { "x-a" => "1" }
      case kind
      when "/app-error" then raise ArgumentError, "no"
      when "/invalid" then [200, { "x-a" => "1\r\n" }, []]
      when "/body-error" then [200, headers, Enumerator.new { |yielder| yielder << "a"; raise "no" }]
      when "/endless" then [200, headers, Enumerator.new { |yielder| loop { yielder << "x" * 65_536 } }]
      when "/stream" then [200, headers, ->(stream) { Thread.new { sleep 0.1; stream << "late"; stream.close } }]
      when "/large" then [200, headers, ["x" * 3_000_000]]
      else [200, headers, ["done"]]
      end
    }
  RACKUP

  serve app, lint: false

  def calls(path)
    server.err.scan(/^#{path} (first|second) (.*)$/)
  end

  def expect_calls(path, status:, error:, headers: '"1"')
    eventually { calls(path).size >= 2 }
    fetch("/another")
    line = "env:true status:#{status} x:#{headers} error:#{error}"
    expect(calls(path)).to eq([["second", line], ["first", line]])
  end

  { "/plain" => "a response", "/large" => "a large response", "/stream" => "a kept stream" }.each do |path, what|
    it "is called, last first, after #{what}" do
      expect(fetch(path)).to include(status: 200, reset: "NO_ERROR")
      expect_calls(path, status: 200, error: "nil")
    end
  end

  it "gets the error of the app" do
    expect(fetch("/app-error")[:status]).to eq(500)
    expect_calls("/app-error", status: "nil", headers: "nil", error: "ArgumentError")
  end

  it "gets an error for a response that is none" do
    expect(fetch("/invalid")[:status]).to eq(500)
    expect_calls("/invalid", status: "nil", headers: "nil", error: "ArgumentError")
  end

  it "gets an error for a response that failed" do
    fetch("/body-error")
    expect_calls("/body-error", status: 200, error: "RuntimeError")
  end

  it "gets an error when the client has gone" do
    js(<<~JAVASCRIPT)
      const stream = open(session, "/endless", {}, { endStream: true });
      await until(() => stream.received() > 0);
      stream.close(http2.constants.NGHTTP2_CANCEL);
    JAVASCRIPT
    expect_calls("/endless", status: 200, error: "HyperionRs::ClientDisconnected")
  end

  describe "that is added late" do
    late = <<~'RACKUP'
      class Late
        def initialize(finished, at) = (@finished, @at = finished, at)
        def each = yield("a").then { add if @at == "/each" }.then { yield "b" }
        def close = (add if @at == "/close")
        def add = @finished << ->(_, status, *) { $stderr.puts "#{@at} finished with #{status}" }
      end
      class LateArray < Late
        def to_ary = ["a", "b"].tap { add }
      end
      run lambda { |env|
        finished, at = env.values_at("rack.response_finished", "PATH_INFO")
        body = at == "/to_ary" ? LateArray.new(finished, at) : Late.new(finished, at)
        stream = ->(io) { Thread.new { io << "a"; body.add; io << "b"; io.close } }
        [200, {}, at == "/kept" ? stream : body]
      }
    RACKUP

    serve late, lint: false

    { "each" => "while the body is iterated", "to_ary" => "by a body that is whole", "close" => "when it is closed",
      "kept" => "on another thread, to a stream that is kept" }.each do |at, what|
      it "is called when it was added #{what}" do
        expect(fetch("/#{at}")).to include(body: "ab", reset: "NO_ERROR")
        server.wait_for(%r{^/#{at} finished with 200$})
      end
    end
  end

  it "is called whatever another callback raises, which is told" do
    fetch("/callback-error")
    expect_calls("/callback-error", status: 200, error: "nil")
    server.wait_for(/rack.response_finished: .*callback failed/)
  end
end
