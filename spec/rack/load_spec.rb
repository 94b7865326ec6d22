# frozen_string_literal: true

require_relative "rack_helper"

RSpec.describe "load" do
  app = <<~'RACKUP'
    PAGE = ("x" * 99 + "\n") * 1_000
    run lambda { |env|
      case env["PATH_INFO"]
      when "/100k" then [200, { "content-type" => "text/plain" }, [PAGE]]
      when "/each" then [200, { "content-type" => "text/plain" }, PAGE.scan(/.{10000}/m).each]
      when "/10ms" then sleep(0.01) && [200, { "content-type" => "text/plain" }, ["slow"]]
      else [200, { "content-type" => "text/plain" }, ["hello"]]
      end
    }
  RACKUP

  def expect_success(load, requests)
    expect([load.succeeded, load.failed, load.statuses.values]).to eq([requests, 0, [requests, 0, 0, 0]])
  end

  # rackup adds Rack::Lint by itself.
  { rackup: "rackup with Rack::Lint", command: "hyperion-rs" }.each do |via, name|
    describe "on #{name}" do
      serve(app, lint: false, via:)

      it "is served: 600 requests one after the other" do
        expect_success(h2load(server.url("/"), requests: 600), 600)
      end

      it "is served: 5,000 requests at once" do
        expect_success(h2load(server.url("/10ms"), requests: 5_000, clients: 50, streams: 100), 5_000)
      end

      it "is served: 20,000 requests on 8 connections of 32 streams" do
        expect_success(h2load(server.url("/"), requests: 20_000, clients: 8, streams: 32), 20_000)
      end

      {
        "a connection window larger than the stream windows" => %w[-w16 -W20],
        "windows of one byte" => %w[-w1], "equal windows" => %w[-w16 -W16]
      }.each do |what, windows|
        it "is served: bodies of 100 kB on 128 streams through #{what}" do
          requests = windows == %w[-w1] ? 2 : 1_000
          expect_success(h2load(server.url("/100k"), *windows, requests:, streams: 128), requests)
          expect_success(h2load(server.url("/each"), *windows, requests:, streams: 128), requests)
        end
      end

      it "is served to curl, nghttp and Node" do
        expect(curl(server.url("/"))).to have_attributes(status: 200, protocol: "2", body: "hello")
        expect(nghttp(server.url("/"))).to eq("hello")
        expect(fetch("/")).to include(status: 200, body: "hello")
      end
    end
  end

  describe "at SIGTERM" do
    # Repeats what the server says it did not look at: refused streams, and those above the last one of a GOAWAY. Their
    # stream id tells. What was accepted has to be answered.
    client = <<~'JAVASCRIPT'
      const told = { answered: 0, lost: 0, refused: 0 };
      let over = false;
      const run = () => new Promise((resolve) => {
        const own = connect(url);
        let last = Infinity;
        own.on("goaway", (code, id) => { last = Math.min(last, id); });
        own.on("close", resolve);
        const next = () => {
          if (own.closed || own.destroyed || last < Infinity) return;
          const stream = open(own, "/10ms", {}, { endStream: true });
          const identity = () => stream.id;
          let id;
          stream.on("ready", () => { id = identity(); });
          stream.outcome.then((outcome) => {
            if (outcome.status === 200 && outcome.body === "slow" && outcome.reset === "NO_ERROR") told.answered++;
            else if (id === undefined || id > last || outcome.reset === "REFUSED_STREAM") told.refused++;
            else told.lost++;
            setImmediate(next);
          });
        };
        own.on("connect", () => { for (let n = 0; n < 32; n++) next(); });
      });
      const running = Array.from({ length: 4 }, run);
      await until(() => told.answered > 200);
      process.kill(PID, "SIGTERM");
      await Promise.all(running);
      return told;
    JAVASCRIPT

    it "loses no request that was accepted" do
      with_server(app, lint: false) do
        told = js(client.sub("PID", server.pid.to_s))
        expect(told).to include(lost: 0, answered: (be > 200))
        expect(server.wait(within: 15).exitstatus).to eq(0)
      end
    end
  end
end
