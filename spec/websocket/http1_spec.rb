# frozen_string_literal: true

require "socket"
require "timeout"
require_relative "../rack/rack_helper"
require_relative "support/libraries"

RSpec.describe "WebSockets over HTTP/1.1", if: WebSocketLibraries.available? do
  app = File.read(File.join(__dir__, "app.ru"))

  # A client that sees the bytes: its socket, and the head that it got.
  def handshake(path)
    head = ["GET #{path} HTTP/1.1", "Host: localhost", "Connection: keep-alive, Upgrade", "Upgrade: websocket",
            "Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="]
    TCPSocket.open("127.0.0.1", server.port) do |socket|
      Timeout.timeout(30) do
        socket << head.join("\r\n") << "\r\n\r\n"
        yield socket, socket.readline("\r\n\r\n").downcase
      end
    end
  end

  { "with TLS" => true, "in clear" => false }.each do |description, tls|
    describe description do
      serve app, lint: false, tls: tls, options: { threads: "1:1" }

      { "/faye" => "chat", "/driver" => nil }.each do |path, subprotocol|
        it "echo messages of any size at #{path}" do
          url = server.url(path).sub("http", "ws")
          told = python("websocket_client.py", url, [0, 1, 125, 126, 65_535, 65_536, 1_000_000])
          expect(told).to eq(subprotocol:, texts: [true] * 7, binaries: [true] * 7,
                             close: [1000, "enough"])
        end
      end

      it "are refused by the app's response" do
        told = python("websocket_client.py", server.url("/refused").sub("http", "ws"), [])
        expect(told).to eq(status: 404, body: "no such room")
      end
    end
  end

  describe "byte by byte" do
    serve app, lint: false, tls: false

    it "are accepted in the words of the library" do
      handshake("/driver") do |_, head|
        expect(head).to start_with("http/1.1 101 switching protocols\r\n")
        expect(head).to include("upgrade: websocket\r\n", "connection: upgrade\r\n",
                                "sec-websocket-accept: s3pplmbitxaq9kygzzhzrbk+xoo=\r\n")
      end
    end

    { "/protocol" => "rack.protocol", "/switch" => "status 101" }.each do |path, description|
      it "can be accepted by #{description}" do
        handshake(path) do |socket, head|
          expect(head).to start_with("http/1.1 101 switching protocols\r\n")
          words = head.scan(/^(?:upgrade|connection): \w+/)
          expect(words).to contain_exactly("upgrade: websocket", "connection: upgrade")
          socket << "ping"
          expect(socket.read(4)).to eq("PING")
          socket.close_write
          expect(socket.read).to eq("")
        end
      end
    end

    it "close the app's socket when the client goes" do
      server.wait_for_another(/^socket lost: EOFError$/) { handshake("/driver") { nil } }
    end

    it "are refused where a page is, which is sent" do
      handshake("/page") do |socket, head|
        expect(head).to start_with("http/1.1 200 ok\r\n")
        expect(socket.read(6)).to eq("a page")
      end
    end

    it "are no matter of status 101 where nobody asked" do
      told = ChildProcess.run("curl", "-s", "--http1.1", "-i", server.url("/wrong")).out
      expect(told).to start_with("HTTP/1.1 500 ")
    end
  end

  it "do not keep a stop waiting" do
    with_server(app, lint: false, tls: false) do
      handshake("/driver") do |socket,|
        expect(server.stop.exitstatus).to eq(0)
        expect(socket.read).to eq("")
      end
    end
  end
end
