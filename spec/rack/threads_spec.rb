# frozen_string_literal: true

require_relative "rack_helper"

RSpec.describe "worker threads" do
  # "/wait" answers at SIGWINCH, "/slow-stream" goes on when "/release" is asked for, "/burn"
  # works for a tenth of a second.
  app = <<~'RACKUP'
    GATE = Thread::Queue.new
    trap("WINCH") { Thread.new { 20.times { GATE << true } } }
    run lambda { |env|
      case env["PATH_INFO"]
      when "/wait" then GATE.pop
      when "/release" then GATE << true
      when "/burn"
        finish = Process.clock_gettime(Process::CLOCK_THREAD_CPUTIME_ID) + 0.1
        nil until Process.clock_gettime(Process::CLOCK_THREAD_CPUTIME_ID) > finish
      when "/slow-stream"
        body = Enumerator.new { |yielder| yielder << "a"; GATE.pop; yielder << "b" }
        next [200, {}, body]
      end
      [200, {}, [Thread.current.name.to_s]]
    }
  RACKUP

  describe "by default" do
    serve app, lint: false

    it "do not let slow streams hold up others" do
      told = js(<<~JAVASCRIPT)
        const slow = [], waits = [];
        for (let number = 1; number <= 12; number++) {
          const begin = performance.now();
          const stream = open(session, "/slow-stream", {}, { endStream: true });
          await until(() => stream.received() > 0);
          slow.push(stream);
          waits.push(performance.now() - begin);
        }
        const other = await exchange(session, "/");
        for (const _ of slow) await exchange(session, "/release");
        const bodies = await Promise.all(slow.map((stream) => stream.outcome));
        return { waits, status: other.status, bodies: bodies.map(({ body }) => body) };
      JAVASCRIPT
      expect(told).to include(status: 200, bodies: %w[ab] * 12)
      # Each needs a thread more than there are, but for the first four. The machine may be what holds up some of them.
      expect(told[:waits].drop(4).sort.first(4)).to all(be < 2_000)
    end
  end

  describe "that all wait" do
    serve app, lint: false

    it "grow to the maximum, not beyond it, and retire when they are idle" do
      js(<<~JAVASCRIPT)
        globalThis.other = connect(url);
        globalThis.waiting = Array.from({ length: 20 }, () => open(other, "/wait", {}, { endStream: true }));
      JAVASCRIPT
      eventually { worker_count == 16 }
      expect(js("return waiting.filter((stream) => stream.told.status).length;")).to eq(0)
      server.signal(:WINCH)
      statuses = js("return Promise.all(waiting.map(async (stream) => (await stream.outcome).status));")
      expect(statuses).to eq([200] * 20)
      expect(worker_count).to be <= 16
      # The patience of an idle thread is ten seconds.
      eventually(within: 60) { worker_count == 4 }
      expect(fetch("/")[:status]).to eq(200)
    end
  end

  describe "with an app whose requests wait briefly" do
    serve "run ->(_) { sleep(0.004); [200, {}, []] }", lint: false

    it "grow although they never stand still" do
      # The monitor may get no CPU while some hundred requests are served.
      eventually(within: 60) do
        js('await Promise.all(Array.from({ length: 600 }, () => exchange(session, "/")));')
        worker_count > 4
      end
    end
  end

  describe "of which one burns CPU" do
    mixed = <<~'RACKUP'
      GATE = Thread::Queue.new
      run lambda { |env|
        case env["PATH_INFO"]
        when "/spin" then nil while GATE.num_waiting < 99 && GATE.empty?
        when "/wait" then GATE.pop
        when "/release" then 20.times { GATE << true }
        end
        [200, {}, []]
      }
    RACKUP
    serve mixed, lint: false

    it "grow when the others wait" do
      js(<<~JAVASCRIPT)
        const held = ["/spin", "/wait", "/wait", "/wait"].map((path) => open(session, path, {}, { endStream: true }));
        await exchange(session, "/release");
        await Promise.all(held.map((stream) => stream.outcome));
      JAVASCRIPT
      expect(worker_count).to be > 4
    end
  end

  describe "with an app that burns CPU" do
    serve app, lint: false

    it "stay the four that they are" do
      eventually { worker_count == 4 }
      expect(fetch("/")[:body]).to match(/\Ahyperion-rs \d+\z/)
      outcomes = js('return Promise.all(Array.from({ length: 12 }, () => exchange(session, "/burn")));')
      expect(outcomes.map { |outcome| outcome[:status] }).to all(eq(200))
      expect(worker_count).to eq(4)
    end
  end

  describe "beside a thread of the app's own" do
    # A request takes a millisecond of CPU; "/turns" tells how often the other thread has come to run.
    beside = <<~'RACKUP'
      turns = 0
      Thread.new { loop { sleep(0.001); turns += 1 } }
      clock = -> { Process.clock_gettime(Process::CLOCK_THREAD_CPUTIME_ID) }
      run lambda { |env|
        if env["PATH_INFO"] == "/burn"
          finish = clock.call + 0.001
          nil until clock.call > finish
        end
        [200, {}, [turns.to_s]]
      }
    RACKUP
    serve beside, lint: false

    # Ruby's own time slice is as long as a good many of the requests, for each of the workers.
    it "leave it a turn after every few requests, while others wait" do
      turns = js(<<~JAVASCRIPT)
        const turns = async () => Number((await exchange(session, "/turns")).body);
        const before = await turns();
        await Promise.all(Array.from({ length: 1000 }, () => exchange(session, "/burn")));
        return await turns() - before;
      JAVASCRIPT
      expect(turns).to be > 80
    end
  end
end
