# frozen_string_literal: true

require_relative "rack_helper"

RSpec.describe "body.close" do
  # A body that says when it is closed, and that does by its name what a body can do.
  app = <<~'RACKUP'
    class Body
      def initialize(kind) = @kind = kind
      def close
        $stderr.puts "closed #{@kind}"
        raise "close failed" if @kind == "close-error"
      end

      def each
        yield "begun"
        case @kind
        when "iteration-error" then raise "iteration failed"
        when "iteration-exit" then exit
        when "iteration-kill" then Thread.current.kill
        when "iteration-throw" then throw :nowhere
        when "hang" then $stderr.puts("hanging") || sleep
        when "endless", "endless-slow" then loop { yield "x" * 65_536 }
        when "waits" then loop { (yield "x") && sleep(0.01) }
        end
      end
    end
    class Callable < Body
      undef each
      def call(stream)
        stream << "begun"
        raise "call failed" if @kind == "call-error"

        stream.close
      end
    end
    run lambda { |env|
      kind = env["PATH_INFO"].delete_prefix("/")
      body = (kind.start_with?("call") ? Callable : Body).new(kind)
      case kind
      when "bad-header" then [200, { "x-a" => "1\r\n" }, body]
      when "bad-status" then [1, {}, body]
      when "no-content" then [204, {}, body]
      else [200, {}, body]
      end
    }
  RACKUP

  def closings(kind, on: server)
    on.err.scan(/^closed #{kind}$/).size
  end

  # Waits for it to be closed, and then for another request to see that it is not closed again.
  def expect_closed_once(kind)
    server.wait_for(/^closed #{kind}$/)
    fetch("/another")
    expect(closings(kind)).to eq(1)
  end

  describe "while the server serves" do
    serve app, lint: false, options: { write_timeout: "1s", response_spill: "1MiB" }

    %w[success no-content bad-header bad-status iteration-error iteration-exit iteration-throw iteration-kill
       close-error call call-error].each do |kind|
      it "is called once: #{kind}" do
        before = closings(kind)
        fetch("/#{kind}")
        eventually { closings(kind) > before }
        fetch("/another")
        expect(closings(kind)).to eq(before + 1)
      end
    end

    it "is called once in answer to HEAD" do
      fetch("/head", ":method" => "HEAD")
      expect_closed_once("head")
    end

    it "is called once when the client resets the stream" do
      js(<<~JAVASCRIPT)
        const stream = open(session, "/waits", {}, { endStream: true });
        await until(() => stream.received() > 0);
        stream.close(http2.constants.NGHTTP2_CANCEL);
        await answered(session);
      JAVASCRIPT
      expect_closed_once("waits")
    end

    it "is called once when the client disconnects" do
      js(<<~JAVASCRIPT)
        const other = connect(url);
        const stream = open(other, "/endless", {}, { endStream: true });
        await until(() => stream.received() > 0);
        other.destroy();
      JAVASCRIPT
      expect_closed_once("endless")
    end

    it "is called once when the client takes nothing within write_timeout" do
      told = js(<<~JAVASCRIPT)
        const other = connect(url, { settings: { initialWindowSize: 10 } });
        const stream = open(other, "/endless-slow", {}, { endStream: true });
        stream.pause();
        return stream.outcome;
      JAVASCRIPT
      expect(told[:reset]).to eq("CANCEL")
      expect_closed_once("endless-slow")
    end
  end

  describe "when the server stops" do
    it "is called once for what does not end in time" do
      with_server(app, lint: false, options: { shutdown_timeout: "300ms" }) do
        js(<<~JAVASCRIPT)
          const stream = open(connect(url), "/hang", {}, { endStream: true });
          await until(() => stream.received() > 0);
        JAVASCRIPT
        server.wait_for(/^hanging$/)
        expect(server.stop.exitstatus).to eq(0)
        expect(closings("hang")).to eq(1)
      end
    end
  end
end
