# frozen_string_literal: true

require "json"
require "time"

RSpec.describe "the access log" do
  let(:app) { "run ->(env) { [env['PATH_INFO'] == '/teapot' ? 418 : 200, {}, [env['PATH_INFO'] * 2]] }" }
  let(:path) { File.join(temporary_directory, "access.log") }

  def lines(file = path)
    File.readlines(file, chomp: true)
  end

  def eventually_lines(count, file = path)
    eventually("#{count} lines in #{file}") { File.exist?(file) && lines(file).size == count }
    lines(file)
  end

  def open_by?(server, file)
    Dir.glob("/proc/#{server.pid}/fd/*").any? do |descriptor|
      File.readlink(descriptor) == file
    rescue Errno::ENOENT
      false
    end
  end

  it "has an object of JSON for each request" do
    server = start_server(app:, tls: true, options: { access_log: "json", access_log_path: path })
    before = Time.now
    begun = Process.clock_gettime(Process::CLOCK_MONOTONIC)
    curl(server.url("/teapot?a=%22b"))
    line = JSON.parse(eventually_lines(1).first, symbolize_names: true)
    expect(line).to include(method: "GET", path: "/teapot", query: "a=%22b", protocol: "HTTP/2", status: 418,
                            bytes: 14, stream_id: 1, outcome: "sent")
    expect(line[:peer]).to match(/\A127\.0\.0\.1:\d+\z/)
    expect(line[:duration]).to be_between(line[:queue_wait], Process.clock_gettime(Process::CLOCK_MONOTONIC) - begun)
    expect(line[:queue_wait]).to be >= 0
    expect(Time.iso8601(line[:time])).to be_between(before - 0.001, Time.now)
  end

  it "has a common line for each request, which tools for Apache's understand" do
    server = start_server(app:, options: { access_log: "common", access_log_path: path })
    curl(server.url("/x?y"))
    time = %r{\d\d/[A-Z][a-z]{2}/\d{4}(:\d\d){3} \+0000}
    seconds = /\d\.\d{6}/
    expect(eventually_lines(1).first)
      .to match(%r{\A127\.0\.0\.1 - - \[#{time}\] "GET /x\?y HTTP/2" 200 4 #{seconds} #{seconds} 1 sent\z})
  end

  it "has lines for HTTP/1.1, which has no streams" do
    server = start_server(app:, options: { access_log: "common", access_log_path: path })
    curl(server.url("/x"), "--http1.1")
    curl(server.url("/y"), "--http1.0", "--head")
    one, two = eventually_lines(2)
    expect(one).to match(%r{"GET /x HTTP/1\.1" 200 4 \d\.\d{6} \d\.\d{6} 0 sent\z})
    expect(two).to match(%r{"HEAD /y HTTP/1\.0" 200 0 \d\.\d{6} \d\.\d{6} 0 sent\z})
  end

  it "goes to standard output unless it is told a path" do
    server = start_server(app:, options: { access_log: "common" })
    curl(server.url("/x"))
    server.wait_for(%r{"GET /x HTTP/2" 200})
  end

  it "is complete when the server has ended" do
    # No more than may wait to be written, however late that is.
    count = 16_000
    server = start_server(app:, options: { access_log: "common", access_log_path: path })
    load = h2load(server.url("/x"), requests: count, clients: 2, streams: 50)
    expect(load.succeeded).to eq(count)
    server.stop
    expect(lines.size).to eq(count)
  end

  it "is continued, and reopened at SIGUSR1" do
    File.write(path, "before\n")
    server = start_server(app:, options: { access_log: "common", access_log_path: path })
    curl(server.url("/one"))
    eventually_lines(2)
    File.rename(path, "#{path}.1")
    server.signal(:USR1)
    eventually("a new file") { File.exist?(path) && !open_by?(server, "#{path}.1") }
    curl(server.url("/two"))
    expect(eventually_lines(1).first).to include("/two")
    expect(eventually_lines(2, "#{path}.1").last).to include("/one")
    expect(server).to be_running
  end

  it "leaves a server without one alone at SIGUSR1" do
    server = start_server(app:)
    server.signal(:USR1)
    expect(curl(server.url("/x")).status).to eq(200)
    expect(server.stop.exitstatus).to eq(0)
  end

  it "says when it cannot be reopened, and goes on with the old file" do
    directory = File.join(temporary_directory, "log")
    Dir.mkdir(directory)
    server = start_server(app:, options: { access_log: "json", access_log_path: File.join(directory, "access.log") })
    File.rename(directory, "#{directory}.old")
    server.signal(:USR1)
    server.wait_for(%r{ERROR .*access log to \S+/log/access\.log failed: No such file})
    curl(server.url("/x"))
    eventually_lines(1, "#{directory}.old/access.log")
  end

  it "has to be opened for the server to start" do
    result = run_server("--access-log", "json", "--access-log-path", "/nowhere/access.log", "-p", "0")
    expect(result.status.exitstatus).to eq(1)
    expect(result.err)
      .to match(%r{\Ahyperion-rs: access_log_path: cannot open /nowhere/access\.log: No such file.*\n\z})
  end

  it "needs a format when it has a path" do
    result = run_server("--access-log-path", path, "-p", "0")
    expect(result.err).to include("access_log_path (from --access-log-path) needs access_log as well: json or common")
  end
end
