# frozen_string_literal: true

require "json"

# The numbers of the server against those of its clients, with errors, refusals, resets and malformed requests between.
RSpec.describe "what is counted" do
  include Frames

  # In all.
  count = 100_000
  load_connections = 8
  raw_connections = 20
  # Of each raw connection: so few that none is sent away.
  rounds = 25

  # Fewer requests at once than h2load has streams: some are refused.
  def start(options = {})
    program = File.join(__dir__, "../support/programs/counting_server.rb")
    options = { max_in_flight: 100, h2_max_concurrent_streams: 50, **options }.flatten.map(&:to_s)
    @server = track(ChildProcess.new(RbConfig.ruby, "-I", ServerProcess::LIBRARY, program, *options))
    @port = @server.wait_for(/^bound to (\d+)$/)[1].to_i
  end

  # The heads and the resets that a connection gets in so many rounds.
  def converse(rounds)
    connection = RawConnection.open(@port)
    rounds.times { |round| exchange(connection, (round * 8) + 1) }
    connection.synchronize
    [connection.frames.count { |frame| frame.type == Frames::HEADERS }, connection.resets.size]
  ensure
    connection&.close
  end

  # An answer, an error, a malformed request, and one that is given up at once.
  def exchange(connection, stream)
    connection.write(headers(stream) + headers(stream + 2, request("/error")) +
                     headers(stream + 4, request(fields: { "te" => "gzip" })) +
                     headers(stream + 6) + rst_stream(stream + 6))
    [stream, stream + 2].each { |id| connection.wait_for_end(id) }
    connection.wait_for_reset(stream + 4)
  end

  def paths
    %w[/ / / / / / / /missing /error].map { |path| "http://127.0.0.1:#{@port}#{path}" }
  end

  # Ends the server, and answers what it has counted.
  def counts_at_the_end
    @server.signal(:TERM)
    expect(@server.wait(within: 30).exitstatus).to eq(0)
    JSON.parse(@server.out.lines.last, symbolize_names: true).fetch(:counted)
  end

  def statuses(load)
    load.statuses.transform_keys { |key| key[0].to_i }
  end

  def by_class(counted)
    counted.fetch(:responses_status_total).group_by { |status, _| status.to_s[0].to_i }
           .transform_values { |pairs| pairs.sum(&:last) }
  end

  it "is what the clients saw, after #{count} requests" do
    start
    raw = raw_connections * rounds * 4
    load = h2load(*paths, requests: count - raw, clients: load_connections, streams: 50)
    errored = load.log[/(\d+) errored/, 1].to_i
    heads, resets = Array.new(raw_connections) { converse(rounds) }.transpose.map(&:sum)
    counted = counts_at_the_end

    expect(heads).to eq(raw_connections * rounds * 2)
    expect(resets).to eq(raw_connections * rounds)
    expect(errored).to be_positive
    answered = load.statuses.values.sum
    expect(answered + errored).to eq(count - raw)
    expect(by_class(counted)).to eq(
      2 => statuses(load)[2] + (raw_connections * rounds), 4 => statuses(load)[4],
      5 => statuses(load)[5] + (raw_connections * rounds)
    )
    expect(counted).to include(
      requests_total: answered + (raw_connections * rounds * 3), requests_in_flight: 0,
      requests_rejected: resets, h2_streams_refused: errored, app_errors: counted.dig(:responses_status_total, :"500"),
      connections_accepted: load_connections + raw_connections, connections_active: 0
    )
    expect(counted.dig(:request_duration, :count)).to eq(counted[:requests_total])
    expect(counted.dig(:queue_wait, :count)).to eq(counted.dig(:app_time, :count))
    expect(counted[:requests_dispatch_total]).to eq({ @server.pid.to_s.to_sym => counted.dig(:app_time, :count) })
    # One that was given up may have been called for before that was known.
    expect(counted[:requests_total] - counted.dig(:app_time, :count)).to be_between(0, raw_connections * rounds)
  end

  it "is what the clients saw over HTTP/1.1" do
    start
    load = h2load(*paths, "--h1", requests: 9_000, clients: load_connections)
    malformed = Array.new(10) { say(@port, "GET / HTTP/1.1\r\nhost: a\r\nhost: b\r\n\r\n") }
    expect(malformed).to all(start_with("HTTP/1.1 400 "))
    counted = counts_at_the_end
    expect(statuses(load)).to include(2 => 7_000, 4 => 1_000, 5 => 1_000)
    expect(by_class(counted)).to eq(2 => 7_000, 4 => 1_000 + malformed.size, 5 => 1_000)
    expect(counted).to include(requests_total: 9_000, requests_in_flight: 0, requests_rejected: 10, app_errors: 1_000,
                               connections_accepted: load_connections + 10, connections_active: 0)
    expect(counted.dig(:request_duration, :count)).to eq(9_000)
  end

  it "is what the access log says" do
    path = File.join(temporary_directory, "access.log")
    start(access_log: "json", access_log_path: path)
    load = h2load(*paths, requests: 3_000, clients: load_connections, streams: 50)
    converse(rounds)
    malformed = Array.new(10) { say(@port, "GET /\r\n\r\n") }
    counted = counts_at_the_end
    lines = File.readlines(path).map { |line| JSON.parse(line, symbolize_names: true) }
    answers, others = lines.partition { |line| line[:status] }
    outcomes = others.group_by { |line| line[:outcome] }.transform_values(&:size)

    expect(load.log).to match(/[1-9]\d* errored/)
    expect(answers.group_by { |line| line[:status].to_s.to_sym }.transform_values(&:size))
      .to eq(counted[:responses_status_total])
    expect(outcomes["refused"]).to eq(counted[:h2_streams_refused]).and be_positive
    expect(outcomes["rejected"] + malformed.size).to eq(counted[:requests_rejected])
    expect(lines.size).to eq(counted.values_at(:requests_total, :requests_rejected, :h2_streams_refused).sum)
  end
end
