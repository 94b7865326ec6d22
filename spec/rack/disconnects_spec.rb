# frozen_string_literal: true

require_relative "rack_helper"

RSpec.describe "clients that go away" do
  # "/slow" answers at SIGWINCH.
  app = <<~'RACKUP'
    GATE = Thread::Queue.new
    trap("WINCH") { Thread.new { GATE << true } }
    run lambda { |env|
      case env["PATH_INFO"]
      when "/read"
        begin
          $stderr.puts "reading"
          env["rack.input"].read
        rescue HyperionRs::ClientDisconnected => e
          $stderr.puts "read: #{e.class}, an IOError: #{e.is_a?(IOError)}"
          raise
        end
      when "/write"
        body = Enumerator.new do |yielder|
          loop { yielder << "x" * 10_000 }
        rescue HyperionRs::ClientDisconnected => e
          $stderr.puts "write: #{e.class}"
          raise
        end
        next [200, {}, body]
      when "/slow"
        $stderr.puts "slow"
        GATE.pop
      when "/count" then $stderr.puts "counted"
      end
      [200, {}, ["done"]]
    }
  RACKUP

  def go_away(path, headers = {})
    js(<<~JAVASCRIPT)
      const other = connect(url);
      const stream = open(other, #{path.to_json}, #{headers.to_json});
      #{yield}
      other.destroy();
    JAVASCRIPT
  end

  # Of one worker: it has said all that there is to say of a request when it answers the next one.
  describe "at the usual log level" do
    serve app, lint: false, options: { threads: "1:1" }, env: { "HYPERION_RS_REQUEST_BUFFERING" => "off" }

    it "raise ClientDisconnected in an app that reads, and leave no line" do
      js(<<~JAVASCRIPT)
        globalThis.other = connect(url);
        open(other, "/read", { ":method": "POST" }).write("begun");
      JAVASCRIPT
      server.wait_for(/^reading$/)
      js("other.destroy();")
      server.wait_for(/^read: HyperionRs::ClientDisconnected, an IOError: true$/)
      fetch("/")
      expect(server.err).not_to match(/-- hyperion-rs: (GET|POST)/)
    end

    it "raise ClientDisconnected in an app that writes, and leave no line" do
      go_away("/write") { "await until(() => stream.received() > 0);" }
      server.wait_for(/^write: HyperionRs::ClientDisconnected$/)
      fetch("/")
      expect(server.err).not_to match(/-- hyperion-rs: (GET|POST)/)
    end
  end

  describe "at the debug level" do
    serve app, lint: false, options: { log_level: "debug" }

    it "are told" do
      go_away("/write") { "await until(() => stream.received() > 0);" }
      server.wait_for(%r{DEBUG -- hyperion-rs: GET /write: .*the client went away})
    end
  end

  describe "before their turn" do
    serve app, lint: false, options: { threads: "1:1" }

    it "are not served" do
      js(<<~JAVASCRIPT)
        globalThis.other = connect(url);
        globalThis.slow = open(other, "/slow", {}, { endStream: true });
      JAVASCRIPT
      server.wait_for(/^slow$/)
      js(<<~JAVASCRIPT)
        const given_up = [1, 2, 3].map(() => open(other, "/count", {}, { endStream: true }));
        await answered(other);
        given_up.forEach((stream) => stream.close(http2.constants.NGHTTP2_CANCEL));
        await answered(other);
      JAVASCRIPT
      server.signal(:WINCH)
      expect(js("await slow.outcome; return exchange(other, '/');")).to include(body: "done")
      expect(server.err).not_to include("counted")
    end
  end
end
