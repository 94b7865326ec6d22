# frozen_string_literal: true

require_relative "proxies_helper"
require_relative "shared_examples"

RSpec.describe "haproxy" do
  { "h2c" => [false, "proto h2"],
    "HTTP/2 over TLS" => [true, "ssl verify none alpn h2"],
    "HTTP/1.1" => [false, ""],
    "HTTP/1.1 over TLS" => [true, "ssl verify none alpn http/1.1"] }.each do |name, (tls, parameters)|
    context "with #{name}" do
      behind(tls:) { |address| Haproxy.to("#{address} #{parameters}") }

      it_behaves_like "a server behind a proxy"
    end
  end

  context "with gRPC over h2c" do
    behind(app: ProxiesHelper::GRPC) { |address| Haproxy.to("#{address} proto h2", frontend: "proto h2") }

    it_behaves_like "a gRPC server behind a proxy"
  end

  describe "with many users on one connection" do
    behind { |address| Haproxy.to("#{address} proto h2", frontend: "proto h2") }

    # Runs a script in Node, with `ask(path)`, a stream of a user's own.
    def users(script)
      result = ChildProcess.run("node", "--eval", <<~JAVASCRIPT, within: 60)
        const http2 = require("http2");
        const createConnection = () => require("net").connect(#{proxy.socket.to_json});
        const session = http2.connect("http://localhost", { createConnection });
        const ask = (path) => session.request({ ":path": path }).on("error", () => {}); // Their own affair.
        const status = (stream) => new Promise((done) => stream.on("response", (head) => done(head[":status"])));
        const data = (stream) => new Promise((done) => stream.once("data", done));
        // As many at a time as a browser has.
        const each = async (count, what) => {
          for (let at = 0; at < count; at += 50) await Promise.all(Array.from({ length: 50 }, what));
        };
        (async () => {
          const patient = session.request({ ":path": "/wait" });
          await data(patient);
          #{script}
          ask("/go").resume();
          console.log("the patient one got: " + await data(patient));
          process.exit();
        })();
      JAVASCRIPT
      expect(result.out + result.err).to end_with("the patient one got: second 1\n\n")
    end

    after { expect(server.log).not_to include("GOAWAY", "calm", "connection error") }

    # Bodies that fit into its buffers: the streams of one connection wait for each other in haproxy 2.6 where one of
    # them is full, and after a reset some do so for ever.
    it "goes on when two thousand leave their events" do
      users(<<~JAVASCRIPT)
        await each(2000, async () => {
          const stream = ask("/events");
          await data(stream);
          await new Promise((done) => stream.on("close", done).close(http2.constants.NGHTTP2_CANCEL));
        });
      JAVASCRIPT
    end

    it "goes on when two thousand send what no browser does" do
      users(<<~JAVASCRIPT)
        await each(2000, async () => {
          const stream = ask("/<script>");
          stream.resume();
          if (await status(stream) !== 400) throw new Error("it is not refused");
        });
      JAVASCRIPT
    end
  end
end
