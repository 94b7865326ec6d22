# frozen_string_literal: true

RSpec.describe "the timing of first streams" do
  let(:app) { "run ->(env) { sleep 0.2 if env['PATH_INFO'] == '/slow'; [200, {}, []] }" }
  let(:pattern) do
    stages = %w[t0_to_t1_ms t1_to_t2_enc_ms t2_enc_to_t2_wire_ms t0_to_t2_wire_ms]
    /h2 first-stream timing with 127\.0\.0\.1:\d+: #{stages.map { |name| "#{name}=(\\d+\\.\\d{3})" }.join(' ')}$/
  end

  def timings(server)
    server.err.scan(pattern).map { |stages| stages.map(&:to_f) }
  end

  [true, false].each do |tls|
    it "agrees with what the client measures, #{tls ? 'with' : 'without'} TLS" do
      server = start_server(app:, tls:, env: { "HYPERION_H2_TIMING" => "on" })
      begun = Process.clock_gettime(Process::CLOCK_MONOTONIC, :float_millisecond)
      connection = RawConnection.open(server.port, tls:)
      # The server has read the client's SETTINGS: both sides count this pause before the request is sent.
      connection.synchronize
      IO.select(nil, nil, nil, 0.1)
      connection.write(Frames.headers(1, Frames.request("/slow")))
      connection.wait_for_end(1)
      # Before it writes more, the server has seen the end of what it wrote.
      connection.write(Frames.headers(3))
      connection.wait_for_end(3)
      measured = Process.clock_gettime(Process::CLOCK_MONOTONIC, :float_millisecond) - begun
      server.stop
      expect(timings(server).size).to eq(1)
      *stages, total = timings(server).first
      expect(stages.sum).to be_within(0.0005).of(total)
      expect(stages).to all(be >= 0)
      # The app's sleep, and the client's.
      expect(stages[1]).to be_between(300, measured)
      expect(total).to be_between(stages[1], measured)
    ensure
      connection&.close
    end
  end

  it "is not logged unless it is asked for" do
    server = start_server(app: ServerHelper::HELLO)
    curl(server.url("/"))
    server.stop
    expect(server.log).not_to include("first-stream")
  end
end
