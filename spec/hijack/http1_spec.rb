# frozen_string_literal: true

require "timeout"
require_relative "../rack/rack_helper"

RSpec.describe "hijacking over HTTP/1.1" do
  app = <<~'RACKUP'
    HEAD = "HTTP/1.1 200 OK\r\nX-Raw: As Written\r\n"
    UPCASE = lambda { |io|
      begin
        loop { io << io.readpartial(65_536).upcase }
      rescue EOFError
        io.close
      end
    }
    hijackers = {
      "/length" => ->(io) { io << "#{HEAD}Content-Length: 5\r\nConnection: close\r\n\r\nhello"; io.close },
      "/chunked" => ->(io) { io << "#{HEAD}Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"; io.close },
      "/until-close" => ->(io) { io << "#{HEAD}\r\nhello"; io.close_write },
      "/thread" => ->(io) { Thread.new { io << "#{HEAD}\r\nhello"; io.close } },
      "/large" => ->(io) { io << "#{HEAD}\r\n"; 64.times { io << "x" * 65_536 }; io.close },
      "/nothing" => ->(io) { io.close },
      "/echo" => ->(io) { io << "#{HEAD}\r\n"; UPCASE.call(io) },
      "/gone" => ->(io) { Thread.new { $stderr.puts "read #{io.read.inspect}"; io.close } }
    }
    partial = {
      "/partial" => ->(io) { io << "hello"; io.close },
      "/partial-echo" => UPCASE,
      "/partial-fail" => ->(io) { io << "some"; raise "broke on the way" }
    }
    run lambda { |env|
      path = env["PATH_INFO"]
      next [200, { "content-type" => "text/plain" }, ["plain"]] if path == "/plain"
      next [200, { "content-type" => "text/plain", "rack.hijack" => partial[path] }, []] if partial.key?(path)

      hijackers.fetch(path).call(env["rack.hijack"].call)
      [-1, {}, []]
    }
  RACKUP

  def curl(path, *arguments)
    ChildProcess.run("curl", "-sk", "--http1.1", *arguments, server.url(path))
  end

  { "with TLS" => true, "in clear" => false }.each do |description, tls|
    describe description do
      serve app, lint: false, tls: tls

      %w[/length /chunked /until-close /thread].each do |path|
        it "sends the bytes that the app writes (#{path})" do
          told = curl(path, "-i").out
          expect(told).to start_with("HTTP/1.1 200 OK\r\nX-Raw: As Written\r\n").and end_with("\r\n\r\nhello")
          expect(told.downcase).not_to match(/^(?:server|date):/)
        end
      end

      it "sends large bodies" do
        expect(curl("/large").out).to eq("x" * (64 * 65_536))
      end

      it "closes the connection when the app closes the socket" do
        expect(curl("/nothing").status.exitstatus).to eq(52), "curl says: empty reply from server"
      end

      it "comes after responses on the same connection" do
        expect(curl("/plain", server.url("/length")).out).to eq("plainhello").or eq("helloplain")
      end

      it "gives the callable of rack.hijack a socket after the head" do
        told = curl("/partial", "-i").out
        expect(told).to start_with("HTTP/1.1 200 OK\r\n").and end_with("\r\n\r\nhello")
        expect(told.scan(/^[a-z-]+(?=:)/)).to contain_exactly("content-type", "date", "server", "connection")
        expect(told).to include("connection: close\r\n")
      end

      it "says so when that callable fails" do
        expect(curl("/partial-fail").out).to eq("some").or eq("")
        server.wait_for(%r{GET /partial-fail: .*broke on the way \(RuntimeError\)})
      end
    end
  end

  describe "byte by byte" do
    serve app, lint: false, tls: false

    def ask(path, rest = "", &)
      TCPSocket.open("127.0.0.1", server.port) do |socket|
        socket << "GET #{path} HTTP/1.1\r\nHost: a\r\n\r\n#{rest}"
        Timeout.timeout(30) { yield socket } if block_given?
      end
    end

    %w[/echo /partial-echo].each do |path|
      it "talks in both directions, to the end of each (#{path})" do
        ask(path, "early ") do |socket|
          socket.readline("\r\n\r\n")
          expect(socket.read(6)).to eq("EARLY ")
          socket << "late"
          socket.close_write
          expect(socket.read).to eq("LATE")
        end
      end
    end

    it "tells the app that the client is gone" do
      ask("/gone")
      server.wait_for(/^read ""$/)
    end
  end
end
