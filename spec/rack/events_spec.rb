# frozen_string_literal: true

require_relative "rack_helper"

RSpec.describe "examples/events.ru" do
  serve File.read(File.join(ServerProcess::ROOT, "examples/events.ru")), lint: false

  # [streams, threads] as the app counts them.
  def counts
    fetch("/")[:body].scan(/\d+/).map(&:to_i)
  end

  it "sends each of 1,000 streams on 10 connections an event a second, from one thread, and forgets them" do
    # Ten connections of a hundred streams.
    js(<<~JAVASCRIPT)
      globalThis.sessions = Array.from({ length: 10 }, () => connect(url));
      globalThis.streams = sessions.flatMap((session) =>
        Array.from({ length: 100 }, () => open(session, "/events", {}, { endStream: true })));
      await until(() => streams.every((stream) => stream.told.status === 200));
    JAVASCRIPT
    streams, threads = counts
    expect(streams).to eq(1_000)

    rounds = js(<<~JAVASCRIPT, within: 60)
      const events = (stream) => stream.seen().split("\\n\\n").length - 1;
      const begun = streams.map(events);
      const rounds = [];
      for (const round of [1, 2, 3, 4]) {
        await until(() => streams.every((stream, at) => events(stream) >= begun[at] + round));
        rounds.push({ at: performance.now(), most: Math.max(...streams.map((stream, at) => events(stream) - begun[at])) });
      }
      return { begun, rounds };
    JAVASCRIPT
    expect(rounds[:begun].minmax.reduce(:-).abs).to be <= 1
    # Nobody was a round ahead while another waited: each got one a second.
    expect(rounds[:rounds].map { |round| round[:most] }).to all(be <= 5)
    first, *, last = rounds[:rounds].map { |round| round[:at] / 1000 }
    expect((last - first) / 3).to be_within(0.5).of(1)
    expect(counts).to eq([1_000, threads])

    js("sessions.forEach((session) => session.destroy());")
    eventually { counts.first.zero? }
  end
end
