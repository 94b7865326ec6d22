# frozen_string_literal: true

require_relative "rack_helper"

RSpec.describe "examples/events.ru" do
  # As many workers all the time, so that any other thread shows.
  serve File.read(File.join(ServerProcess::ROOT, "examples/events.ru")), lint: false, options: { threads: "4:4" }

  # [streams, threads] as the app counts them.
  def counts
    fetch("/")[:body].scan(/\d+/).map(&:to_i)
  end

  # A hundred streams on each of ten connections; `heard` has what comes on each, as { id, at }.
  def open_streams
    js(<<~JAVASCRIPT)
      const listen = (stream) => {
        const events = [];
        let text = "";
        stream.on("data", (chunk) => {
          const whole = (text + chunk).split("\\n\\n");
          text = whole.pop();
          for (const event of whole) events.push({ id: Number(/^id: (\\d+)$/m.exec(event)[1]), at: performance.now() });
        });
        return events;
      };
      globalThis.sessions = Array.from({ length: 10 }, () => connect(url));
      globalThis.streams = sessions.flatMap((session) =>
        Array.from({ length: 100 }, () => open(session, "/events", {}, { endStream: true })));
      globalThis.heard = streams.map(listen);
      await until(() => streams.every((stream) => stream.told.status === 200));
    JAVASCRIPT
  end

  # Waits for three events that came as they have to: one a second, each to everybody before the next one to anybody.
  # On a machine that holds up the server or the client now and then, the first ones need not. Answers the seconds
  # between two events, of each try, and whether all of what has come came in order.
  def listen
    js(<<~JAVASCRIPT, within: 120)
      const all = (id) => heard.every((events) => events.length && events.at(-1).id >= id);
      const times = (id) => heard.map((events) => events[id - events[0].id].at);
      const first = (id) => Math.min(...times(id)), last = (id) => Math.max(...times(id));
      const begin = Math.max(...await Promise.all(heard.map(async (events) => {
        await until(() => events.length);
        return events[0].id;
      })));
      const intervals = [];
      for (let id = begin; intervals.length < 20; id += 3) {
        await until(() => all(id + 3));
        const apart = [id, id + 1, id + 2].every((earlier) => last(earlier) < first(earlier + 1));
        intervals.push(apart ? (last(id + 3) - last(id)) / 3000 : null);
        if (Math.abs(intervals.at(-1) - 1) < 0.5) break;
      }
      const ordered = heard.every((events) => events.every(({ id }, at) => id === events[0].id + at));
      return { intervals, ordered };
    JAVASCRIPT
  end

  it "sends each of 1,000 streams on 10 connections an event a second, from one thread, and forgets them" do
    _, threads = counts
    open_streams
    expect(counts).to eq([1_000, threads])

    told = listen
    expect(told[:ordered]).to be(true)
    expect(told[:intervals].last).to be_within(0.5).of(1)
    expect(counts).to eq([1_000, threads])

    js("sessions.forEach((session) => session.destroy());")
    eventually { counts.first.zero? }
  end
end
