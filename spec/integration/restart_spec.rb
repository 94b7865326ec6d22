# frozen_string_literal: true

RSpec.describe "a restart" do
  # Answers a number that each start of the program makes anew; /slow waits for a file.
  app = <<~'RACKUP'
    START = Process.clock_gettime(Process::CLOCK_MONOTONIC, :nanosecond)
    run lambda { |env|
      if env["PATH_INFO"] == "/slow"
        warn "at work"
        sleep 0.01 until File.exist?("go")
      end
      [200, { "content-type" => "text/plain" }, ["#{START} #{Process.pid}"]]
    }
  RACKUP

  def start(url)
    curl(url).body.split.map(&:to_i)
  end

  # Whether a connection waits to be accepted, by proc(5): it has no inode yet.
  def queued?(port)
    lines = %w[/proc/net/tcp /proc/net/tcp6].flat_map { |table| File.readlines(table) }
    connections = lines.map { |line| line.split.values_at(1, 3, 9) }
    connections.any? { |local, state, inode| local.end_with?(format(":%04X", port)) && state == "01" && inode == "0" }
  end

  def wait_until_listening_again(server)
    server.wait_for(/(?:^hyperion-rs \S+ listening.*){2}/m)
  end

  it "serves the program anew in the same process, on the same port, when tmp/restart.txt is touched" do
    server = start_server(app:)
    before = start(server.url("/"))
    write_file("tmp/restart.txt", "")
    wait_until_listening_again(server)
    after = start(server.url("/"))
    expect(after[0]).to be > before[0]
    expect([before[1], after[1]]).to all(eq(server.pid))
    expect(server.stop.exitstatus).to eq(0)
  end

  it "finishes requests in flight, and refuses nobody meanwhile" do
    server = start_server(app:, tls: true, arguments: %w[-o localhost -p 0])
    idle = RawConnection.open(server.port, tls: true)
    slow = Thread.new { start(server.url("/slow")) }
    server.wait_for(/at work/)
    server.signal(:USR2)
    server.wait_for(/restart \(SIGUSR2\)/)
    # The old program takes no connection any more when it has told those that it has.
    idle.wait_for_close
    early = Thread.new { start(server.url("/")) }
    eventually("one waits for the new program") { queued?(server.port) }
    write_file("go", "")
    expect(slow.value[0]).to be < early.value[0]
    expect(start(server.url("/"))).to eq(early.value)
  ensure
    [slow, early].each { |thread| thread&.join(10) }
  end

  it "works for rackup, with a pidfile and a unix socket" do
    socket = File.join(temporary_directory, "socket")
    server = start_server(app:, via: :rackup, arguments: %w[-P rack.pid], options: { bind: "unix://#{socket}" })
    request = -> { curl("http://localhost/", "--unix-socket", socket).body.to_i }
    before = request.call
    server.signal(:USR2)
    wait_until_listening_again(server)
    expect(request.call).to be > before
    expect(server.stop.exitstatus).to eq(0)
    expect(File).not_to exist(File.join(temporary_directory, "rack.pid"))
  end

  it "takes sockets that are open already, of a supervisor" do
    listener = TCPServer.new("127.0.0.1", 0)
    port = listener.local_address.ip_port
    command = ServerProcess.command_line(write_file("config.ru", app), arguments: %w[-o 127.0.0.1],
                                                                       options: { port:, listen_fds: 7 })
    supervisor = write_file("supervisor.rb", "exec(*ARGV, 7 => #{listener.fileno})")
    pid = Process.spawn(RbConfig.ruby, supervisor, *command, listener => listener, out: File::NULL, err: File::NULL)
    listener.close
    expect(start("http://127.0.0.1:#{port}/")[1]).to eq(pid)
  ensure
    Process.kill(:TERM, pid)
    Process.wait(pid)
  end

  it "refuses descriptors that are no listening sockets" do
    result = run_server("--listen-fds", "99")
    expect(result.err).to start_with("hyperion-rs: listen_fds: 99: ")
    expect(result.status.exitstatus).to eq(1)
  end
end
