# frozen_string_literal: true

require_relative "../rack/rack_helper"
require_relative "../websocket/support/libraries"

RSpec.describe "rack.hijack" do
  app = <<~'RACKUP'
    KEPT = Thread::Queue.new
    HELLO = "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nConnection: close\r\n"
    def tell(line) = $stderr.puts(line)
    class Closable
      def each = nil
      def close = $stderr.puts("body closed")
    end
    hijackers = {
      "/length" => ->(io) { io.write(HELLO, "Content-Length: 5\r\n\r\nhello"); io.close },
      "/chunked" => ->(io) { io << HELLO << "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"; io.close },
      "/until-close" => ->(io) { io.write_nonblock("#{HELLO}\r\nhello"); io.close_write },
      "/nothing" => ->(io) { io.close },
      "/nonsense" => ->(io) { io << "hello\r\n\r\n"; io.close },
      "/raise" => ->(io) { io << "#{HELLO}Content-Length: 5\r\n\r\nhello"; raise "after the fact" },
      "/thread" => ->(io) { Thread.new { io << "#{HELLO}\r\nhello"; io.close } },
      "/kept" => ->(io) { KEPT << io },
      "/forgotten" => ->(_) {},
      "/nio" => lambda { |io|
        require "nio"
        selector = NIO::Selector.new
        monitor = selector.register(io, :w)
        selector.select(5) { |ready| ready.io.write_nonblock("#{HELLO}\r\nhello") }
        monitor.close
        io.close
      },
      "/large" => ->(io) { io << "#{HELLO}\r\n"; 64.times { io << "x" * 65_536 }; io.close },
      "/gone" => lambda { |io|
        io << "#{HELLO}\r\n"
        Thread.new do
          tell "read #{io.read.inspect}"
          # The other direction is closed an instant later.
          loop { io << "late" }
        rescue SystemCallError => e
          tell "late: #{e.class}"
        end
      }
    }
    run lambda { |env|
      path = env["PATH_INFO"]
      case path
      when "/plain" then next [200, {}, ["plain"]]
      when "/answer" then next [200, {}, [KEPT.size.to_s]].tap { KEPT.pop.tap { |io| io << "#{HELLO}\r\nkept"; io.close } }
      when "/collect" then next [200, {}, [GC.start.to_s]]
      when "/identity"
        io = env["rack.hijack"].call
        same = [env["rack.hijack"].call, env["rack.hijack_io"], io.to_io].all? { |other| other.equal?(io) }
        io << "#{HELLO}\r\n#{io.class} #{same} #{io.sync} #{io.external_encoding} #{io.close_on_exec?}"
        io.close
      when "/fork"
        child = fork { env["rack.hijack"].call rescue tell("in the child: #{$!.class}") }
        Process.wait(child)
        next [200, {}, ["parent"]]
      when "/late"
        next [200, {}, Enumerator.new { |y| env["rack.hijack"].call rescue y << $!.class.name }]
      when "/finished"
        env["rack.response_finished"] << ->(_, *rest) { tell "finished: #{rest.inspect}" }
        env["rack.hijack"].call.tap { |io| io << "#{HELLO}\r\nhello" }.close
      else
        env["rack.hijack"].call
        hijackers.fetch(path).call(env["rack.hijack_io"])
      end
      { "h" => [-1, {}, Closable.new], "n" => nil }.fetch(env["QUERY_STRING"], [-1, {}, []])
    }
  RACKUP

  serve app, lint: false, options: { threads: "1:1" }

  ways = { "/length" => "of a given length", "/chunked" => "in chunks", "/until-close" => "until the socket is closed",
           "/thread" => "from another thread" }
  ways["/nio"] = "by nio4r" if WebSocketLibraries.available?
  ways.each do |path, description|
    it "sends what the app writes #{description}" do
      told = fetch(path)
      expect(told).to include(status: 200, body: "hello", reset: "NO_ERROR")
      expect(told[:headers].map(&:first)).to include("content-type",
                                                     "date").and not_include("connection", "transfer-encoding")
    end
  end

  it "answers a socket like any other, and always the same" do
    expect(fetch("/identity")[:body]).to eq("UNIXSocket true true ASCII-8BIT true")
  end

  it "passes over what the app returns, but closes its body" do
    expect(fetch("/length?h")).to include(body: "hello", reset: "NO_ERROR")
    server.wait_for(/^body closed$/)
    expect(fetch("/length?n")).to include(body: "hello", reset: "NO_ERROR")
  end

  it "lets the response go on when the app raises, and says so" do
    expect(fetch("/raise")).to include(body: "hello", reset: "NO_ERROR")
    server.wait_for(%r{GET /raise: .*after the fact \(RuntimeError\)})
  end

  it "sends large bodies" do
    expect(fetch("/large")).to include(size: 64 * 65_536, reset: "NO_ERROR")
  end

  it "holds no thread" do
    told = js(<<~JAVASCRIPT)
      const kept = Array.from({ length: 50 }, () => open(session, "/kept", {}, { endStream: true }));
      await exchange(session, "/plain");
      const answers = [];
      for (const _ of kept) answers.push((await exchange(session, "/answer")).body);
      const bodies = await Promise.all(kept.map((stream) => stream.outcome.then((told) => told.body)));
      return { first: answers[0], bodies };
    JAVASCRIPT
    expect(told).to eq(first: "50", bodies: ["kept"] * 50)
  end

  it "answers 500 for what is no response, and says why" do
    expect(fetch("/nonsense")).to include(status: 500)
    server.wait_for(/took the request over, but it is no HTTP.1\.1 response/)
    server.wait_for_another(/took the request over, but nothing was written/) do
      expect(fetch("/nothing")).to include(status: 500)
    end
  end

  # The stack of a thread may hold the last one that it had.
  it "answers 500 for sockets that are forgotten" do
    statuses = js(<<~JAVASCRIPT)
      const streams = Array.from({ length: 40 }, () => open(session, "/forgotten", {}, { endStream: true }));
      const over = () => streams.filter((stream) => stream.destroyed);
      while (over().length < 20) await exchange(session, "/collect");
      return Promise.all(over().map(async (stream) => (await stream.outcome).status));
    JAVASCRIPT
    expect(statuses.uniq).to eq([500])
  end

  it "closes the socket of a client that is gone" do
    js(<<~JAVASCRIPT)
      const stream = open(session, "/gone", {}, { endStream: true });
      await until(() => stream.told.status);
      stream.close(http2.constants.NGHTTP2_CANCEL);
      await stream.outcome;
    JAVASCRIPT
    server.wait_for(/^read ""$/)
    server.wait_for(/^late: Errno::EPIPE$/)
  end

  it "comes too late for a response that has begun" do
    expect(fetch("/late")[:body]).to eq("IOError")
  end

  it "is the parent's alone" do
    expect(fetch("/fork")[:body]).to eq("parent")
    server.wait_for(/^in the child: IOError$/)
  end

  it "calls rack.response_finished at the end" do
    fetch("/finished")
    server.wait_for(/^finished: \[nil, nil, nil\]$/)
  end

  describe "under Rack::Lint" do
    lint = <<~'RACKUP'
      run lambda { |env|
        env["rack.hijack"].call
        io = env["rack.hijack_io"] || raise("no rack.hijack_io")
        io.write("HTTP/1.1 200 OK\r\n\r\nhello")
        io.close
        [200, {}, []]
      }
    RACKUP

    serve lint

    it "is as it has to be" do
      expect(fetch("/")).to include(status: 200, body: "hello")
    end
  end

  it "holds up a stop no longer than shutdown_timeout" do
    with_server(app, lint: false, options: { shutdown_timeout: "1s" }) do
      # A session that outlives its script.
      js(<<~JAVASCRIPT)
        globalThis.staying = connect(url);
        open(staying, "/kept", {}, { endStream: true });
        return exchange(staying, "/plain");
      JAVASCRIPT
      expect(server.stop.exitstatus).to eq(0)
    end
  end
end
