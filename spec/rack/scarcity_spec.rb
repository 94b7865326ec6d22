# frozen_string_literal: true

require "socket"
require_relative "rack_helper"

RSpec.describe "a server that runs short" do
  describe "of file descriptors" do
    limit = 64
    serve "Process.setrlimit(:NOFILE, #{limit})\nrun ->(_) { [200, {}, ['ok']] }", lint: false, tls: false

    it "serves whom it has, and others again afterwards" do
      js("globalThis.early = connect(url); return exchange(early, '/');")
      idle = Array.new(limit + 16) { TCPSocket.new("127.0.0.1", server.port) }
      server.wait_for(/accept failed/)
      expect(js("return exchange(early, '/');")).to include(status: 200, body: "ok")
      idle.each(&:close)
      expect(fetch("/")).to include(status: 200, body: "ok")
    end
  end

  describe "of threads" do
    app = <<~'RACKUP'
      # Grants three threads, and more once somebody asks for "/more".
      GRANTED = [3]
      Thread.singleton_class.prepend(Module.new {
        def new(...)
          raise ThreadError, "can't create Thread: Resource temporarily unavailable" if (GRANTED[0] -= 1).negative?

          super
        end
      })
      run lambda { |env|
        GRANTED[0] = 100 if env["PATH_INFO"] == "/more"
        env["rack.input"].read
        [200, {}, ["ok"]]
      }
    RACKUP

    describe "for a while" do
      serve app, lint: false

      it "serves with those it has, and starts the others when it can" do
        server.wait_for(/worker thread could not be started: .*Resource temporarily/)
        expect(fetch("/more")).to include(status: 200, body: "ok")
        eventually { worker_count == 4 }
      end
    end

    describe "while clients are silent" do
      serve app, lint: false, options: { body_timeout: "1s" }

      it "takes one back from them, as it cannot start another" do
        server.wait_for(/worker thread could not be started/)
        status = js(<<~JAVASCRIPT)
          const grpc = { ":method": "POST", "content-type": "application/grpc", te: "trailers" };
          await exchange(session, "/");
          for (let count = 0; count < 3; count++) open(session, "/", grpc, { endStream: false });
          await answered(session);
          return (await exchange(connect(url), "/more")).status;
        JAVASCRIPT
        expect(status).to eq(200)
      end
    end
  end
end
