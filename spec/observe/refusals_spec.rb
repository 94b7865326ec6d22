# frozen_string_literal: true

require "json"

# What the server answers, refuses or resets by itself, with real clients of both protocols.
RSpec.describe "the access log, of requests that the app never saw," do
  include Frames

  let(:path) { File.join(temporary_directory, "access.log") }
  let(:app) { "run ->(env) { sleep if env['PATH_INFO'] == '/sleep'; [200, {}, ['hello']] }" }

  def serve(format = "common", **options)
    options = { access_log: format, access_log_path: path, **options }
    @server = start_server(app:, options:, tls: options.key?(:redirect_http))
  end

  def eventually_lines(count)
    eventually("#{count} lines") { File.exist?(path) && File.readlines(path).size == count }
    File.readlines(path, chomp: true)
  end

  # What is not the client's address nor a time.
  def essences(count)
    eventually_lines(count).map do |line|
      line[/\A127\.0\.0\.1 - - \[[^\]]+\] (".*" (?:\d+|-) \d+) \d+\.\d{6} (?:\d+\.\d{6}|-) \d+ \w+\z/, 1] +
        line[/ \d+ \w+\z/]
    end
  end

  def objects(count)
    eventually_lines(count).map { |line| JSON.parse(line, symbolize_names: true) }
  end

  # Writes bytes, and waits for the server to end the connection.
  def talk(bytes)
    say(@server.port, bytes, silent: true)
  end

  def connect
    RawConnection.open(@server.port)
  end

  it "has a line for each answer over HTTP/1.1" do
    serve(max_body_size: 10)
    talk("GET /a b HTTP/1.1\r\n\r\n")
    talk("GET /\"\e[31m HTTP/1.1\r\n\r\n")
    talk("POST /smuggled HTTP/1.1\r\ncontent-length: 1\r\ntransfer-encoding: chunked\r\n\r\n")
    talk("GET /no/host HTTP/1.1\r\n\r\n")
    talk("GET /new HTTP/3.0\r\n\r\n")
    talk("GET /large HTTP/1.1\r\nhost: a\r\na: #{'b' * 70_000}\r\n\r\n")
    curl(@server.url("/upload"), "--http1.1", "--data", "more than ten bytes")
    expect(essences(7)).to eq(
      ['"GET /a b HTTP/1.1" 400 11 0 sent', '"GET /\x22\x1B[31m HTTP/1.1" 400 11 0 sent',
       '"POST /smuggled HTTP/1.1" 400 11 0 sent', '"GET /no/host HTTP/1.1" 400 11 0 sent',
       '"GET /new HTTP/3.0" 505 26 0 sent', '"GET /large HTTP/1.1" 431 31 0 sent',
       '"POST /upload HTTP/1.1" 413 17 0 sent']
    )
  end

  it "has a line for each client whose head is too slow" do
    serve(header_timeout: 1)
    talk("GET /slo")
    talk("GET /slow HTTP/1.1\r\nhost: a\r\n")
    expect(essences(2)).to eq(['"GET /slo" 408 15 0 sent', '"GET /slow HTTP/1.1" 408 15 0 sent'])
  end

  it "has a line for each client whose body is too slow" do
    serve(body_timeout: 0.2)
    talk("POST /slow HTTP/1.1\r\nhost: a\r\ncontent-length: 9\r\n\r\nabc")
    connection = connect
    connection.write(headers(1, request("/slow", method: "POST"), body: true))
    expect(connection.wait_for_reset(1)).to eq(:cancel)
    expect(essences(2)).to eq(['"POST /slow HTTP/1.1" 408 15 0 sent', '"POST /slow HTTP/2" - 0 1 timed_out'])
  end

  it "has a line for each stream that is answered, reset or refused" do
    serve(h2_max_concurrent_streams: 2, max_in_flight: 1, h2_max_header_list_size: 2048)
    connection = connect
    connection.write(headers(1, request("/hop", fields: { "connection" => "close" })))
    expect(connection.wait_for_reset(1)).to eq(:protocol_error)
    connection.write(headers(3, request("/large", fields: { "a" => "b" * 3000 })))
    expect(connection.status(3)).to eq(431)
    connection.write(headers(5, request("/<")))
    expect(connection.status(5)).to eq(400)
    connection.write(headers(7, request("/sleep")) + headers(9, request("/busy")))
    expect(connection.wait_for_reset(9)).to eq(:refused_stream)
    expect(essences(4)).to eq(['"GET /hop HTTP/2" - 0 1 rejected', '"-" 431 0 3 sent', '"GET - HTTP/2" 400 0 5 sent',
                               '"GET /busy HTTP/2" - 0 9 refused'])
  end

  it "has a line for a request beyond max_in_flight over HTTP/1.1" do
    serve(max_in_flight: 1)
    connection = connect
    connection.write(headers(1, request("/sleep")))
    connection.synchronize
    expect(curl(@server.url("/busy"), "--http1.1").status).to eq(503)
    expect(essences(1)).to eq(['"GET /busy HTTP/1.1" 503 19 0 sent'])
  end

  it "has a line for HTTP in the clear where TLS is spoken" do
    { false => 400, true => 308 }.each do |redirect_http, status|
      File.write(path, "")
      serve(redirect_http:)
      talk("GET /x?y HTTP/1.1\r\nhost: localhost\r\n\r\n")
      expect(essences(1)).to match([%r{\A"GET /x\?y HTTP/1\.1" #{status} \d+ 0 sent\z}])
    end
  end

  it "has null in JSON for what is not known" do
    serve("json", h2_max_header_list_size: 2048)
    talk("\x16\x03\x01\xFF")
    talk("GET /a?b=\xE9 c HTTP/1.1\r\n\r\n")
    connection = connect
    connection.write(headers(1, request("/large", fields: { "a" => "b" * 3000 })))
    connection.status(1)
    connection.write(headers(3, request("/<")))
    connection.status(3)
    nothing = { method: nil, path: nil, queue_wait: nil }
    tls, blank, large, target = objects(4)
    expect(tls).to include(nothing, status: 400, protocol: "HTTP/1.1", bytes: 11, stream_id: 0, outcome: "sent")
    expect(blank).to include(method: "GET", path: "/a", query: "b=\uFFFD", status: 400)
    expect(large).to include(nothing, status: 431, protocol: "HTTP/2", bytes: 0, stream_id: 1, outcome: "sent")
    expect(target).to include(method: "GET", path: nil, status: 400, stream_id: 3)
    expect([tls, blank, large, target].map { |line| line[:peer] }).to all(match(/\A127\.0\.0\.1:\d+\z/))
    expect(tls[:duration]).to be_between(0, 5)
  end

  it "can be read by what reads the lines of others, whatever a client sends" do
    serve
    random = Random.new(17)
    50.times { talk("#{random.bytes(40).delete("\r\n")}\r\n\r\n") }
    expect(essences(50)).to all(match(/\A"[\x21\x23-\x7e ]*" 400 11 0 sent\z/))
  end
end
