# frozen_string_literal: true

require_relative "../rack/rack_helper"

RSpec.describe "the rack.hijack response header" do
  app = <<~'RACKUP'
    KEPT = Thread::Queue.new
    class Closable
      def each = nil
      def close = $stderr.puts("body closed")
    end
    callables = {
      "/hello" => ->(io) { io.write("he", "llo"); io.flush; io.close },
      "/echo" => ->(io) { while (chunk = io.readpartial(65_536)) do io << chunk.upcase end rescue io.close },
      "/halves" => ->(io) { io << "last"; io.close_write; $stderr.puts("then #{io.read}"); io.close },
      "/kept" => ->(io) { KEPT << io },
      "/fail" => ->(io) { io << "some"; raise "broke on the way" },
      "/short" => ->(io) { io << "some"; io.close },
      "/gone" => ->(io) { io << "some"; $stderr.puts("read #{io.read.inspect}") }
    }
    run lambda { |env|
      path = env["PATH_INFO"]
      next [200, { "content-type" => "text/plain" }, ["told"]].tap { KEPT.pop.tap { |io| io << "kept" }.close } if path == "/tell"

      headers = { "content-type" => "text/plain", "rack.hijack" => callables.fetch(path) }
      headers["content-length"] = "100" if path == "/short"
      [200, headers, Closable.new]
    }
  RACKUP

  options = { env: { "HYPERION_RS_REQUEST_BUFFERING" => "off" } }

  describe "under Rack::Lint" do
    serve app, **options

    it "gives the callable a socket after the head" do
      told = fetch("/hello")
      expect(told).to include(status: 200, body: "hello", reset: "NO_ERROR")
      expect(values(told, "content-type")).to eq(["text/plain"])
      server.wait_for(/^body closed$/)
    end
  end

  describe "without it" do
    serve app, lint: false, **options

    it "talks in both directions, to the end of each" do
      told = js(<<~JAVASCRIPT)
        const stream = open(session, "/echo", { ":method": "POST" });
        for (const word of ["one", "two"]) {
          const before = stream.seen().length;
          stream.write(word);
          await until(() => stream.seen().length === before + word.length);
        }
        stream.end();
        return stream.outcome;
      JAVASCRIPT
      expect(told).to include(body: "ONETWO", reset: "NO_ERROR")
    end

    it "stays open after call has returned" do
      told = js(<<~JAVASCRIPT)
        const stream = open(session, "/kept", {}, { endStream: true });
        await until(() => stream.told.status);
        await exchange(session, "/tell");
        return stream.outcome;
      JAVASCRIPT
      expect(told).to include(body: "kept", reset: "NO_ERROR")
    end

    it "shows the client when the callable fails, and says why" do
      expect(fetch("/fail")[:reset]).to eq("INTERNAL_ERROR")
      server.wait_for(%r{GET /fail: .*broke on the way \(RuntimeError\)})
    end

    it "shows the client when the body is shorter than its length, and says so" do
      expect(fetch("/short")[:reset]).to eq("INTERNAL_ERROR")
      server.wait_for(/content-length is 100, the body is shorter/)
    end

    it "closes the socket of a client that is gone" do
      js(<<~JAVASCRIPT)
        const stream = open(session, "/gone", {}, { endStream: true });
        await until(() => stream.seen() === "some");
        stream.close(http2.constants.NGHTTP2_CANCEL);
        await stream.outcome;
      JAVASCRIPT
      server.wait_for(/^read ""$/)
    end
  end
end
