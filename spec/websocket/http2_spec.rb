# frozen_string_literal: true

require_relative "../rack/rack_helper"
require_relative "support/libraries"

RSpec.describe "WebSockets over HTTP/2 (RFC 8441)", if: WebSocketLibraries.available? do
  serve File.read(File.join(__dir__, "app.ru")), lint: false, options: { threads: "1:1" }

  it "are offered in SETTINGS" do
    told = js(<<~JAVASCRIPT)
      await exchange(session, "/");
      return session.remoteSettings.enableConnectProtocol;
    JAVASCRIPT
    expect(told).to be(true)
  end

  { "/faye" => "faye-websocket", "/driver" => "websocket-driver in a loop of nio4r" }.each do |path, library|
    describe "with #{library}" do
      it "are accepted without the words of HTTP/1.1" do
        told = js(<<~JAVASCRIPT)
          const socket = await websocket(session, "#{path}", { "sec-websocket-protocol": "chat" });
          return socket.head;
        JAVASCRIPT
        expect(told).to include(":status": 200)
        expect(told.keys).not_to include(:connection, :upgrade, :"sec-websocket-accept")
      end

      it "echo messages of any size" do
        told = js(<<~JAVASCRIPT)
          const socket = await websocket(session, "#{path}");
          const same = [];
          for (const size of [0, 5, 125, 126, 65535, 65536, 1000000]) {
            const text = "x".repeat(size);
            socket.send(text);
            const frame = await socket.next();
            same.push(frame.kind === "text" && frame.text === text);
          }
          return same;
        JAVASCRIPT
        expect(told).to eq([true] * 7)
      end

      it "answer a PING, and end with a close from each side" do
        told = js(<<~JAVASCRIPT)
          const socket = await websocket(session, "#{path}");
          socket.send("are you there?", "ping");
          const pong = await socket.next();
          socket.send("\\u0003\\u00e8", "close");
          const close = await socket.next();
          const end = await socket.next();
          socket.stream.end();
          return [pong, close.kind, end];
        JAVASCRIPT
        expect(told).to eq([{ kind: "pong", text: "are you there?" }, "close", nil])
      end
    end
  end

  it "hold no thread, and share a connection" do
    told = js(<<~JAVASCRIPT)
      const sockets = await Promise.all(Array.from({ length: 100 }, () => websocket(session, "/driver")));
      sockets.forEach((socket, n) => socket.send(`message ${n}`));
      const texts = await Promise.all(sockets.map(async (socket) => (await socket.next()).text));
      return [texts, (await exchange(session, "/")).body];
    JAVASCRIPT
    expect(told).to eq([Array.new(100) { |n| "message #{n}" }, "a page"])
  end

  it "close the app's socket when the client goes" do
    server.wait_for_another(/^socket lost: EOFError$/) { js(<<~JAVASCRIPT) }
      const socket = await websocket(session, "/driver");
      socket.stream.close(http2.constants.NGHTTP2_CANCEL);
      return new Promise((resolve) => socket.stream.on("close", () => resolve(null)));
    JAVASCRIPT
  end

  { "/protocol" => "rack.protocol", "/switch" => "status 101" }.each do |path, description|
    it "can be accepted by #{description}" do
      told = js(<<~JAVASCRIPT)
        const stream = open(session, "#{path}", { ":method": "CONNECT", ":protocol": "websocket", ":scheme": "https" });
        stream.write("ping");
        await until(() => stream.seen() === "PING");
        stream.end("pong");
        return stream.outcome;
      JAVASCRIPT
      expect(told).to include(status: 200, body: "PINGPONG", reset: "NO_ERROR")
    end
  end

  it "look like an upgrade to the app" do
    told = js(<<~JAVASCRIPT)
      const head = { ":method": "CONNECT", ":protocol": "websocket", ":scheme": "https", "sec-websocket-version": "13" };
      return open(session, "/env", head, { endStream: true }).outcome;
    JAVASCRIPT
    expect(told[:status]).to eq(403)
    expect(told[:body]).to match(%r{
      \A\{"REQUEST_METHOD"\s*=>\s*"GET",\s"HTTP_UPGRADE"\s*=>\s*"websocket",\s"HTTP_CONNECTION"\s*=>\s*"Upgrade",
      \s"HTTP_SEC_WEBSOCKET_KEY"\s*=>\s*"[A-Za-z0-9+/]{22}==",\s"HTTP_SEC_WEBSOCKET_VERSION"\s*=>\s*"13",
      \s"rack\.protocol"\s*=>\s*\["websocket"\]\}\z
    }x)
  end

  it "are refused by the app's status" do
    told = js("return (await websocket(session, '/refused')).head;")
    expect(told).to include(":status": 404)
  end

  it "are refused where a page is" do
    told = js("return (await websocket(session, '/page')).head;")
    expect(told).to include(":status": 501)
  end

  it "are no matter of status 101 where nobody asked" do
    expect(fetch("/wrong")).to include(status: 500)
    server.wait_for(/status 101, and the client has not asked for another protocol/)
  end

  # Lint knows such bodies from Rack 3 on.
  if Rack.release >= "3"
    describe "under Rack::Lint" do
      serve <<~'RACKUP'
        run lambda { |env|
          echo = ->(stream) { stream << stream.read.upcase; stream.close }
          [200, { "rack.protocol" => env["rack.protocol"].first }, echo]
        }
      RACKUP

      it "are as they have to be" do
        told = js(<<~JAVASCRIPT)
          const stream = open(session, "/", { ":method": "CONNECT", ":protocol": "websocket", ":scheme": "https" });
          stream.end("ping");
          return stream.outcome;
        JAVASCRIPT
        expect(told).to include(status: 200, body: "PING", reset: "NO_ERROR")
      end
    end
  end

  it "do not keep a stop waiting" do
    with_server(File.read(File.join(__dir__, "app.ru")), lint: false) do
      # A session that outlives its script.
      js("globalThis.staying = connect(url); return (await websocket(staying, '/driver')).head;")
      expect(server.stop.exitstatus).to eq(0)
    end
  end
end
