# frozen_string_literal: true

require_relative "rack_helper"

# Request bodies without a timeout (gRPC, extended CONNECT), whose clients say nothing while a thread waits for them.
RSpec.describe "silent streams" do
  app = <<~'RACKUP'
    run lambda { |env|
      input = env["rack.input"]
      case env["PATH_INFO"]
      # The first chunk says that the thread is about to read.
      when "/echo" then [200, {}, Enumerator.new { |output| output << "-"; input.each { |chunk| output << chunk } }]
      when "/collect" then [200, {}, [input.read]]
      when "/own" then [200, {}, ->(stream) { Thread.new { stream << "-"; stream << stream.read; stream.close } }]
      else [200, {}, ["ok"]]
      end
    }
  RACKUP
  client = <<~'JAVASCRIPT'
    const grpc = { ":method": "POST", "content-type": "application/grpc", te: "trailers" };
    const chat = { ":method": "CONNECT", ":protocol": "chat", ":scheme": "https" };
    const call = async (path) => {
      const stream = open(session, path, grpc, { endStream: false });
      await until(() => stream.received() > 0);
      return stream;
    };
    // Resolves when body_timeout is over for a body that has one.
    const timeout = () => open(session, "/", { ":method": "POST" }, { endStream: false }).outcome;
    const probe = () => exchange(connect(url), "/");
    const finish = (stream) => { stream.end("end"); return stream.outcome; };
  JAVASCRIPT
  limits = { threads: "2:2", body_timeout: "1s" }

  define_method(:talk) { |script| js(client + script, within: 120) }

  describe "as long as nobody waits for their threads" do
    serve app, lint: false, options: limits

    it "rest for as long as they like" do
      told = talk(<<~JAVASCRIPT)
        const streams = [await call("/echo"), await call("/echo")];
        const resets = [(await timeout()).reset, (await timeout()).reset];
        return { resets, outcomes: await Promise.all(streams.map(finish)) };
      JAVASCRIPT
      expect(told[:resets]).to eq(%w[CANCEL CANCEL])
      expect(told[:outcomes]).to all(include(status: 200, body: "-end", reset: "NO_ERROR"))
    end
  end

  describe "that hold all threads" do
    serve app, lint: false, options: limits

    it "give one back to a request that waits: that of the longest silence" do
      told = talk(<<~JAVASCRIPT)
        const [first, second] = [await call("/echo"), await call("/echo")];
        const { status } = await probe();
        return { status, first: await first.outcome, second: await finish(second) };
      JAVASCRIPT
      expect(told).to include(status: 200, first: include(status: 200, body: "-", reset: "INTERNAL_ERROR"))
      server.wait_for(%r{POST /echo: .*BodyTimeout})
    end

    it "give it back one by one, for as long as requests wait" do
      told = talk(<<~JAVASCRIPT)
        await exchange(session, "/");
        const streams = Array.from({ length: 20 }, () => open(session, "/collect", grpc, { endStream: false }));
        const outcomes = streams.map((stream) => stream.outcome);
        await answered(session);
        const { status } = await probe();
        // The probe has one thread, and one stream at most has the other.
        streams.forEach((stream) => stream.end());
        return { status, statuses: (await Promise.all(outcomes)).map((outcome) => outcome.status) };
      JAVASCRIPT
      expect(told[:status]).to eq(200)
      expect(told[:statuses].first(19)).to all(eq(408))
    end

    it "do so when they have asked for another protocol as well" do
      told = talk(<<~JAVASCRIPT)
        await exchange(session, "/");
        const streams = [1, 2].map(() => open(session, "/collect", chat, { endStream: false }));
        await answered(session);
        const { status } = await probe();
        await until(() => streams.some((stream) => stream.told.status));
        return [status, streams[0].told.status ?? streams[1].told.status];
      JAVASCRIPT
      expect(told).to eq([200, 408])
    end
  end

  describe "beside others" do
    serve app, lint: false, options: limits

    it "are the only ones that are let go" do
      told = talk(<<~JAVASCRIPT)
        const [talks, own, silent] = [await call("/echo"), await call("/own"), await call("/echo")];
        const messages = setInterval(() => talks.write("."), 100);
        const { status } = await probe();
        clearInterval(messages);
        return { status, silent: await silent.outcome, talks: await finish(talks), own: await finish(own) };
      JAVASCRIPT
      expect(told).to match(
        status: 200, silent: include(reset: "INTERNAL_ERROR"),
        talks: include(body: /\A-\.+end\z/, reset: "NO_ERROR"), own: include(body: "-end", reset: "NO_ERROR")
      )
    end
  end
end
