# frozen_string_literal: true

require_relative "rack_helper"

RSpec.describe "threads that wait" do
  # Each path waits where the server has them wait: for a request body, for room to write, in Ruby, or never.
  app = <<~'RACKUP'
    require "timeout"
    VICTIMS = {}
    # Waits in `each`, and in `close` gets over an exception of its own.
    class Recovering
      def each = $stderr.puts("in each") || sleep
      def close
        Integer("none")
      rescue ArgumentError
        $stderr.puts "recovered"
      end
    end
    # Cannot be woken but by force.
    def spin = loop { nil }
    # The thread that serves the path, once it waits.
    def victim(path) = VICTIMS.fetch(path).tap { |thread| Thread.pass until thread.stop? }
    run lambda { |env|
      path, query = env.values_at("PATH_INFO", "QUERY_STRING")
      begin
        case path
        when "/read", "/write", "/sleep", "/spin", "/lock", "/close" then VICTIMS[path] = Thread.current
        end
        $stderr.puts "in #{path}"
        case path
        when "/read" then env["rack.input"].read
        when "/write" then next [200, {}, Enumerator.new { |y| loop { y << "x" * 65_536 } }]
        when "/close" then next [200, {}, Recovering.new]
        when "/sleep" then sleep
        when "/spin" then spin
        when "/lock" then Mutex.new.lock.lock
        when "/timeout-read" then Timeout.timeout(0.2) { env["rack.input"].read }
        when "/timeout-write"
          next [200, {}, lambda { |s|
            begin
              Timeout.timeout(0.3) { loop { s << "x" * 65_536 } }
            rescue Timeout::Error => e
              $stderr.puts "write: #{e.class}"
              s.close(e)
            end
          }]
        when "/kill" then victim(query).kill.join(30) or raise "alive"
        when "/raise" then victim(query).raise("stray error")
        end
        [200, {}, ["done"]]
      rescue Timeout::Error => e
        [504, {}, [e.class.name]]
      end
    }
  RACKUP
  options = { lint: false, env: { "HYPERION_RS_REQUEST_BUFFERING" => "off" } }

  # Begins a request that never ends by itself: its body stays open, and its client takes nothing.
  def begin_waiting(path)
    server.wait_for_another(/^in #{path}$/) { js(<<~JAVASCRIPT) }
      globalThis.other = connect(url, { settings: { initialWindowSize: 100 } });
      globalThis.victim = open(other, #{path.to_json}, { ":method": "POST" });
      victim.pause();
    JAVASCRIPT
  end

  # Takes what there is, and not a hundred bytes at a time.
  def end_of_victim
    js("other.settings({ initialWindowSize: 1 << 20 }); return victim.resume().outcome;")
  end

  describe "while it serves" do
    serve app, **options, options: { response_spill: "1MiB" }

    %w[/read /sleep].each do |path|
      it "end by Thread#kill in #{path}" do
        begin_waiting(path)
        expect(fetch("/kill?#{path}")).to include(status: 200, body: "done")
        expect(end_of_victim[:status]).to eq(500)
      end

      it "end by Thread#raise in #{path}, and live on" do
        begin_waiting(path)
        server.wait_for_another(/POST #{path}: .*stray error/) { fetch("/raise?#{path}") }
        expect(end_of_victim[:status]).to eq(500)
      end
    end

    it "end by Thread#kill although the body's close rescues something" do
      begin_waiting("/close")
      server.wait_for(/^in each$/)
      expect(fetch("/kill?/close")).to include(status: 200, body: "done")
      server.wait_for(/^recovered$/)
      expect(end_of_victim[:reset]).to eq("INTERNAL_ERROR")
      expect(fetch("/")).to include(status: 200)
    end

    it "end by Thread#kill while they wait for room" do
      begin_waiting("/write")
      # Memory, and after it the temporary file, have to be full.
      eventually { spilled == 1 << 20 }
      expect(fetch("/kill?/write")).to include(status: 200, body: "done")
      expect(end_of_victim[:reset]).to eq("INTERNAL_ERROR")
    end

    it "end by Timeout" do
      begin_waiting("/timeout-read")
      expect(end_of_victim).to include(status: 504, body: "Timeout::Error")
      begin_waiting("/timeout-write")
      server.wait_for(/^write: Timeout::Error$/)
      expect(end_of_victim[:reset]).to eq("INTERNAL_ERROR")
    end
  end

  describe "when the server stops" do
    %w[/read /write /sleep /spin /lock].product(%w[INT TERM]).each do |path, signal|
      it "do not hold it up in #{path} at SIG#{signal}" do
        with_server(app, **options, options: { shutdown_timeout: "300ms", response_spill: "1MiB" }) do
          begin_waiting(path)
          expect(server.stop(signal).exitstatus).to eq(0)
        end
      end
    end

    it "end at the second signal" do
      with_server(app, **options) do
        begin_waiting("/spin")
        server.signal(:TERM)
        server.wait_for(/finishing requests in flight/)
        expect(server.stop(:INT).termsig).to eq(Signal.list.fetch("INT"))
      end
    end
  end
end
