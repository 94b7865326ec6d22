# frozen_string_literal: true

RSpec.describe "the admin listener" do
  # "/stuck" holds the GVL for ever, "/slow" waits until its file is there.
  let(:app) do
    <<~'RACKUP'
      require "fiddle"
      SLEEP = Fiddle::Function.new(Fiddle.dlopen(nil)["sleep"], [Fiddle::TYPE_INT], Fiddle::TYPE_INT, need_gvl: true)

      run lambda { |env|
        case env["PATH_INFO"]
        when "/stuck"
          $stderr.puts "stuck"
          SLEEP.call(3600)
        when "/slow"
          $stderr.puts "got it"
          sleep 0.01 until File.exist?("go")
        end
        [200, { "content-type" => "text/plain" }, ["hello"]]
      }
    RACKUP
  end
  let(:server) { start_server(app:, options: { admin_bind: "tcp://127.0.0.1:0" }) }
  let(:admin) { server.wait_for(%r{answers /metrics, /healthz and /readyz on (http://127\.0\.0\.1:\d+)$})[1] }

  # As scrapers and balancers ask, over HTTP/1.1.
  def ask(path, *arguments)
    result = ChildProcess.run("curl", "--silent", "--show-error", "--include", "--max-time", "15", *arguments,
                              "#{admin}#{path}", within: 20)
    raise "curl: #{result.err}" unless result.status.success?

    parse_curl(result)
  end

  it "shows what is counted" do
    curl(server.url("/"))
    response = ask("/metrics")
    expect(response.status).to eq(200)
    expect(response["content-type"]).to eq(["text/plain; version=0.0.4; charset=utf-8"])
    expect(response.body).to include("# TYPE hyperion_requests_total counter\nhyperion_requests_total 1\n")
      .and include(%(hyperion_requests_dispatch_total{worker_id="#{server.pid}"} 1\n))
  end

  it "says that the server lives, and is ready" do
    expect(%w[/healthz /readyz].map { |path| ask(path).then { |response| [response.status, response.body] } })
      .to eq([[200, "ok\n"], [200, "ready\n"]])
  end

  it "knows no other paths and no other methods" do
    expect(ask("/").status).to eq(404)
    response = ask("/metrics", "--data", "x=1")
    expect([response.status, response["allow"]]).to eq([405, ["GET, HEAD"]])
  end

  it "takes requests over HTTP/2 too" do
    expect(curl("#{admin}/healthz").body).to eq("ok\n")
  end

  it "answers while Ruby is stuck" do
    connection = RawConnection.open(server.port)
    connection.write(Frames.headers(1, Frames.request("/stuck")))
    server.wait_for(/^stuck$/)
    expect(ask("/healthz").status).to eq(200)
    expect(ask("/metrics").body).to include("\nhyperion_requests_in_flight 1\n")
  ensure
    connection&.close
  end

  it "is not ready while the server drains, and goes with it" do
    slow = Thread.new { curl(server.url("/slow")) }
    server.wait_for(/^got it$/)
    ask("/readyz")
    server.signal(:TERM)
    eventually("not ready") { ask("/readyz").status == 503 }
    expect(ask("/healthz").status).to eq(200)
    FileUtils.touch(File.join(temporary_directory, "go"))
    expect(slow.value.body).to eq("hello")
    expect(server.wait(within: 30).exitstatus).to eq(0)
    expect { ask("/healthz") }.to raise_error(/curl: .*refused|connect/i)
  end

  it "is not there unless it is asked for" do
    server = start_server(app:)
    expect(server.stop.exitstatus).to eq(0)
    expect(server.log).not_to include("/metrics")
  end

  it "has to be bound for the server to start" do
    taken = TCPServer.new("127.0.0.1", 0)
    result = run_server("-p", "0", "--admin-bind", "tcp://127.0.0.1:#{taken.local_address.ip_port}")
    expect(result.status.exitstatus).to eq(1)
    expect(result.err).to match(/\Ahyperion-rs: cannot listen on tcp:\S+: Address already in use/)
  ensure
    taken&.close
  end
end
