# frozen_string_literal: true

require_relative "rack_helper"

RSpec.describe "streaming bodies" do
  app = <<~'RACKUP'
    KEPT = Thread::Queue.new
    EVENTS = Thread::Queue.new
    def tell(line) = $stderr.puts(line)
    streams = {
      "/hello" => ->(s) { s << "he" << "llo"; tell "write answers #{s.write(" you", "!")}"; s.flush; s.close },
      "/empty" => ->(s) { s.close },
      "/echo" => ->(s) { while (chunk = s.readpartial(65_536)) do s << chunk.upcase end },
      "/read" => ->(s) { s << s.read.reverse; s.close },
      "/kept" => ->(s) { KEPT << s },
      "/forgotten" => ->(s) { s << "some"; nil },
      "/fail" => ->(s) { s << "some"; raise "broke on the way" },
      "/close-error" => ->(s) { s << "some"; s.close(RuntimeError.new("no")) },
      "/write-after" => lambda { |s|
        s.close
        begin
          s << "late"
        rescue IOError => e
          tell "late write: #{e.class}"
        end
      },
      # The client reads meanwhile, so that a buffer that was full may have room at the next write.
      "/nonblock" => lambda { |s|
        written = 0
        until (count = s.write_nonblock("x" * 65_536, exception: false)) == :wait_writable
          written += count
        end
        begin
          loop { written += s.write_nonblock("x" * 65_536) }
        rescue IO::WaitWritable => e
          tell "wait: #{e.message}"
        end
        tell "nonblock took #{written}"
        s.close
      },
      "/close-halves" => ->(s) { s.close_read; s << "still"; s.close_write; tell "closed: #{s.closed?}" },
      "/objects" => ->(s) { s << 1 << :two << nil; s.close },
      "/closed" => ->(s) { KEPT << s }
    }
    Thread.new do
      while (order = EVENTS.pop)
        stream = KEPT.pop
        case order
        when "write" then stream << "from another thread"; KEPT << stream
        when "close" then stream.close
        when "forget" then stream = nil
        when "wait"
          sleep 0.01 until stream.closed?
          begin
            stream << "x"
          rescue IOError => e
            tell "gone: #{e.class}"
          end
        end
      end
    end
    run lambda { |env|
      path = env["PATH_INFO"]
      next [200, {}, ["ordered"]].tap { EVENTS << env["QUERY_STRING"] } if path == "/order"
      next [200, {}, [GC.start.to_s]] if path == "/collect"

      stream = streams.fetch(path.delete_prefix("/hijack"))
      wrapped = lambda { |io|
        begin
          stream.call(io)
        rescue EOFError
          io.close
        end
      }
      path.start_with?("/hijack") ? [200, { "rack.hijack" => wrapped }, []] : [200, {}, wrapped]
    }
  RACKUP

  options = { env: { "HYPERION_RS_REQUEST_BUFFERING" => "off" } }

  # Lint knows these bodies from Rack 3 on, though not all that a stream answers.
  if Rack.release >= "3"
    describe "under Rack::Lint" do
      serve app, **options

      ["", "/hijack"].each do |prefix|
        it "write, read and close#{" (#{prefix})" unless prefix.empty?}" do
          expect(fetch("#{prefix}/hello")).to include(status: 200, body: "hello you!", reset: "NO_ERROR")
          expect(fetch("#{prefix}/read", { ":method" => "POST" }, "abc")).to include(status: 200, body: "cba")
        end
      end
    end
  end

  describe "without it" do
    serve app, lint: false, **options

    { "" => "a body that responds to call", "/hijack" => "the rack.hijack header" }.each do |prefix, description|
      describe description do
        it "writes and closes" do
          server.wait_for_another(/^write answers 5$/) do
            expect(fetch("#{prefix}/hello")).to include(status: 200, body: "hello you!", reset: "NO_ERROR")
          end
          expect(fetch("#{prefix}/empty")).to include(status: 200, body: "", reset: "NO_ERROR")
        end

        it "reads the request" do
          expect(fetch("#{prefix}/read", { ":method" => "POST" }, "abc")[:body]).to eq("cba")
        end

        it "talks in both directions at once" do
          told = js(<<~JAVASCRIPT)
            const stream = open(session, "#{prefix}/echo", { ":method": "POST" });
            const answers = [];
            for (const word of ["one", "two", "three"]) {
              const before = stream.seen().length;
              stream.write(word);
              await until(() => stream.seen().length === before + word.length);
              answers.push(stream.seen().slice(before));
            }
            stream.end();
            return { answers, outcome: await stream.outcome };
          JAVASCRIPT
          expect(told[:answers]).to eq(%w[ONE TWO THREE])
          expect(told[:outcome]).to include(body: "ONETWOTHREE", reset: "NO_ERROR")
        end

        it "stays open after call has returned, for any thread" do
          outcome = js(<<~JAVASCRIPT)
            const stream = open(session, "#{prefix}/kept", {}, { endStream: true });
            await until(() => stream.told.status);
            await exchange(session, "/order?write");
            await until(() => stream.seen().length > 0);
            await exchange(session, "/order?close");
            return stream.outcome;
          JAVASCRIPT
          expect(outcome).to include(body: "from another thread", reset: "NO_ERROR")
        end
      end
    end

    it "sends what is no String by its to_s" do
      expect(fetch("/objects")[:body]).to eq("1two")
    end

    # The stack of a thread may hold the last one that it had.
    it "fails responses whose streams are forgotten" do
      resets = js(<<~JAVASCRIPT)
        const streams = Array.from({ length: 40 }, () => open(session, "/kept", {}, { endStream: true }));
        await until(() => streams.every((stream) => stream.told.status));
        for (const _ of streams) await exchange(session, "/order?forget");
        const over = () => streams.filter((stream) => stream.destroyed);
        while (over().length < 20) await exchange(session, "/collect");
        return Promise.all(over().map(async (stream) => (await stream.outcome).reset));
      JAVASCRIPT
      expect(resets.uniq).to eq(["INTERNAL_ERROR"])
    end

    it "fails a response whose body raises, and says why" do
      expect(fetch("/fail")[:reset]).to eq("INTERNAL_ERROR")
      server.wait_for(%r{GET /fail: .*broke on the way \(RuntimeError\)})
    end

    it "fails a response that is closed with an error" do
      expect(fetch("/close-error")[:reset]).to eq("INTERNAL_ERROR")
    end

    it "refuses to write after the end" do
      fetch("/write-after")
      server.wait_for(/^late write: IOError$/)
    end

    it "tells instead of waiting, when it is asked not to block" do
      fetch("/nonblock")
      server.wait_for(/^wait: .*the response buffer is full$/)
      expect(server.wait_for(/^nonblock took (\d+)$/)[1].to_i).to be_between(65_536, 16 * 1024 * 1024)
    end

    it "closes its halves apart" do
      expect(fetch("/close-halves", { ":method" => "POST" }, "unread")).to include(body: "still", reset: "NO_ERROR")
      server.wait_for(/^closed: true$/)
    end

    it "knows that the client has gone" do
      js(<<~JAVASCRIPT)
        const stream = open(session, "/closed", {}, { endStream: true });
        await until(() => stream.told.status);
        await exchange(session, "/order?wait");
        stream.close(http2.constants.NGHTTP2_CANCEL);
        await stream.outcome;
      JAVASCRIPT
      server.wait_for(/^gone: HyperionRs::ClientDisconnected$/)
    end
  end
end
