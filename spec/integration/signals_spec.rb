# frozen_string_literal: true

RSpec.describe "signals" do
  # Says on stderr when a request has reached the app; "/slow" answers half a second later, "/held" when there is the
  # file, "/hang" never.
  let(:app) do
    <<~'RACKUP'
      run lambda { |env|
        $stderr.puts "got #{env["PATH_INFO"]}"
        case env["PATH_INFO"]
        when "/slow" then sleep 0.5
        when "/held" then sleep 0.01 until File.exist?("go")
        when "/hang" then sleep
        end
        [200, { "content-type" => "text/plain" }, ["done"]]
      }
    RACKUP
  end

  # A request in a thread of its own, once the app has it.
  def request(server, path)
    thread = Thread.new { curl(server.url(path)) }
    thread.report_on_exception = false
    server.wait_for(/^got #{path}$/)
    thread
  end

  def outcome
    yield.status
  rescue ChildProcess::Failed
    :dropped
  end

  # Seconds from the signal to the end of a server that has served and is idle, which ends well.
  def time_to_end(via, name)
    server = start_server(app:, via:)
    expect(curl(server.url("/")).body).to eq("done")
    start = Process.clock_gettime(Process::CLOCK_MONOTONIC)
    status = server.stop(name)
    took = Process.clock_gettime(Process::CLOCK_MONOTONIC) - start
    expect([status.exitstatus, server.err]).to match([0, /SIG#{name}: finishing requests in flight/])
    took
  end

  %w[command rackup].product(%w[INT TERM]).each do |via, name|
    it "ends #{via} with status 0 within a second at SIG#{name} when idle" do
      # A busy machine may hold up any process, but not each time.
      times = Array.new(5).lazy.map { time_to_end(via.to_sym, name) }
      expect(times.any? { |seconds| seconds < 1 }).to be(true)
    end
  end

  it "ends by SIGINT, without a backtrace, while the app is loaded" do
    command = ServerProcess.command_line(write_file("config.ru", "$stderr.puts 'loading'\nsleep"))
    server = track(ChildProcess.new(*command, directory: temporary_directory))
    server.wait_for(/loading/)
    server.signal(:INT)
    expect([server.wait(within: 30).termsig, server.log]).to eq([Signal.list.fetch("INT"), "loading\n"])
  end

  it "finishes the requests in flight" do
    server = start_server(app:, tls: true)
    response = request(server, "/slow")
    expect(server.stop.exitstatus).to eq(0)
    expect(response.value).to have_attributes(status: 200, body: "done")
  end

  it "takes no new connections while it drains" do
    server = start_server(app:)
    response = request(server, "/held")
    server.signal(:TERM)
    eventually("connections are refused") { outcome { curl(server.url("/")) } == :dropped }
    write_file("go", "")
    expect([response.value.body, server.wait(within: 30).exitstatus]).to eq(["done", 0])
  end

  it "drops what is not finished after shutdown_timeout, and still ends with status 0" do
    server = start_server(app:, options: { shutdown_timeout: "200ms" })
    response = request(server, "/hang")
    expect(server.stop.exitstatus).to eq(0)
    expect { response.value }.to raise_error(ChildProcess::Failed)
  end

  it "drops everything at the second signal and ends by it" do
    server = start_server(app:)
    response = request(server, "/hang")
    server.signal(:TERM)
    server.wait_for(/finishing requests in flight/)
    status = server.stop(:INT)
    expect([status.signaled?, status.termsig]).to eq([true, Signal.list.fetch("INT")])
    expect(outcome { response.value }).to eq(500).or eq(:dropped)
  end

  it "loses no accepted request at SIGTERM under load" do
    server = start_server(app:, tls: true)
    load = Thread.new { h2load(server.url("/load"), requests: 20_000, clients: 4, streams: 16) }
    server.wait_for(%r{^got /load$})
    expect(server.stop.exitstatus).to eq(0)
    result = load.value
    answered = server.err.scan(%r{^got /load$}).size
    expect([result.statuses["2xx"], result.statuses["5xx"]]).to eq([answered, 0])
  end
end
