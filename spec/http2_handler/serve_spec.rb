# frozen_string_literal: true

require_relative "handler_helper"

RSpec.describe HyperionRs::Http2Handler, "#serve" do
  facts = lambda { |env|
    keys = %w[rack.url_scheme HTTPS REMOTE_ADDR SERVER_PROTOCOL SERVER_PORT]
    [200, {}, [env.values_at(*keys).inspect]]
  }

  def certificate_files
    pair = Certificates.generate
    { cert: write_file("cert.pem", pair.certificate), key: write_file("key.pem", pair.key) }
  end

  # A server's side of TLS in Ruby, after its handshake.
  def encrypt(socket, pair, sync_close: true, alpn: "h2")
    context = OpenSSL::SSL::SSLContext.new
    context.cert = OpenSSL::X509::Certificate.new(pair.certificate)
    context.key = OpenSSL::PKey.read(pair.key)
    context.alpn_select_cb = ->(offered) { alpn if offered.include?(alpn) }
    OpenSSL::SSL::SSLSocket.new(socket, context).tap do |ssl|
      ssl.sync_close = sync_close
      ssl.accept
    end
  end

  it "serves a TCPSocket in clear, and closes it when the connection is over" do
    sockets = Thread::Queue.new
    server = listen(handler(facts)) { |socket| socket.tap { sockets << socket } }
    expect(curl(server.url).body).to eq(["http", nil, "127.0.0.1", "HTTP/2", server.port.to_s].inspect)
    expect(server.ended).to be_nil
    expect(sockets.pop).to be_closed
  end

  it "answers nil" do
    client, socket = pair
    client.close
    expect(handler.serve(socket)).to be_nil
  end

  it "serves a UNIXSocket" do
    client, socket = pair
    served = Thread.new { handler(facts).serve(socket) }
    client.greet
    expect(get(client)).to eq(200)
    expect(client.body(1)).to include('"127.0.0.1"')
    client.close
    expect(served.value).to be_nil
    expect(socket).to be_closed
  end

  it "serves any IO that has a socket's descriptor, and what wraps one" do
    wrapper = Struct.new(:to_io) do
      def close = to_io.close
      def closed? = to_io.closed?
    end
    server = listen(handler) { |socket| IO.for_fd(socket.fileno, "r+").tap { socket.autoclose = false } }
    expect(curl(server.url("/io")).body).to eq("hello /io")
    expect(server.ended).to be_nil
    server = listen(handler) { |socket| wrapper.new(wrapper.new(socket)) }
    expect(curl(server.url("/wrapped")).body).to eq("hello /wrapped")
    expect(server.ended).to be_nil
  end

  it "takes the TLS handshake itself when it was given a certificate" do
    server = listen(handler(facts, tls: certificate_files))
    response = curl("https://127.0.0.1:#{server.port}/")
    expect(response.protocol).to eq("2")
    expect(response.body).to start_with('["https", "on", "127.0.0.1", "HTTP/2"')
    expect(server.ended).to be_nil
  end

  it "serves clients of HTTP/1.1, too" do
    server = listen(handler(facts))
    expect(curl(server.url, "--http1.1").body).to start_with('["http", nil, "127.0.0.1", "HTTP/1.1"')
    expect(server.ended).to be_nil
    server = listen(handler(facts, tls: certificate_files))
    response = curl("https://127.0.0.1:#{server.port}/", "--http1.1")
    expect(response.protocol).to eq("1.1")
    expect(response.body).to start_with('["https", "on", "127.0.0.1", "HTTP/1.1"')
    expect(server.ended).to be_nil
  end

  it "serves an SSLSocket whose client has settled on HTTP/1.1" do
    identity = Certificates.generate
    server = listen(handler(facts)) { |socket| encrypt(socket, identity, alpn: "http/1.1") }
    response = curl("https://127.0.0.1:#{server.port}/", "--http1.1")
    expect(response.body).to start_with('["https", "on", "127.0.0.1", "HTTP/1.1"')
    expect(server.ended).to be_nil
  end

  it "does not wait for the end of a handshake in the thread that accepts" do
    server = listen(handler(tls: certificate_files))
    silent = TCPSocket.new("127.0.0.1", server.port)
    expect(curl("https://127.0.0.1:#{server.port}/").status).to eq(200)
    silent.close
  end

  [true, false].each do |sync_close|
    it "serves an SSLSocket after its handshake, with sync_close #{sync_close}" do
      identity = Certificates.generate
      sockets = Thread::Queue.new
      server = listen(handler(facts)) do |socket|
        encrypt(socket, identity, sync_close:).tap { |ssl| sockets << [ssl, socket] }
      end
      response = curl("https://127.0.0.1:#{server.port}/")
      expect(response.body).to start_with('["https", "on", "127.0.0.1", "HTTP/2"')
      expect(server.ended).to be_nil
      expect(sockets.pop).to all(be_closed)
    end
  end

  it "has nothing wait for an acknowledgement in the socket below an SSLSocket" do
    identity = Certificates.generate
    sockets = Thread::Queue.new
    told = ->(_env) { [200, {}, [sockets.pop.getsockopt(:TCP, :NODELAY).bool.to_s]] }
    server = listen(handler(told)) { |socket| encrypt(socket.tap { sockets << socket }, identity) }
    expect(curl("https://127.0.0.1:#{server.port}/").body).to eq("true")
  end

  it "passes large bodies on in both directions of an SSLSocket at once" do
    identity = Certificates.generate
    echo = ->(env) { [200, {}, [env["rack.input"].read]] }
    server = listen(handler(echo)) { |socket| encrypt(socket, identity) }
    body = Random.new(1).bytes(3 << 20)
    file = write_file("body", body)
    response = curl("https://127.0.0.1:#{server.port}/", "--data-binary", "@#{file}")
    expect(response.body == body).to be(true)
    result = h2load("https://127.0.0.1:#{server.port}/", requests: 500, clients: 5, streams: 20)
    expect(result.succeeded).to eq(500)
  end

  it "ends a connection whose TLS client vanishes" do
    identity = Certificates.generate
    server = listen(handler) { |socket| encrypt(socket, identity) }
    client = connect(server, tls: true)
    expect(get(client)).to eq(200)
    client.close
    expect(server.ended).to be_nil
  end

  it "ends at once when a TLS client of HTTP/1.1 vanishes in the middle of a response" do
    identity = Certificates.generate
    endless = Enumerator.new { |chunks| loop { chunks << ("x" * 100_000) } }
    server = listen(handler(->(_env) { [200, {}, endless] })) { |socket| encrypt(socket, identity, alpn: "http/1.1") }
    client = OpenSSL::SSL::SSLSocket.new(TCPSocket.new("127.0.0.1", server.port))
    client.sync_close = true
    client.connect
    client.write("GET / HTTP/1.1\r\nhost: a\r\n\r\n")
    client.readpartial(1000)
    client.close
    expect(server.ended).to be_nil
  end

  it "serves an object that is only read and written like a socket" do
    near, far = UNIXSocket.pair
    stream = Class.new do
      define_method(:readpartial) { |size| far.readpartial(size) }
      define_method(:write) { |bytes| far.write(bytes) }
      define_method(:close) { far.close }
      define_method(:closed?) { far.closed? }
    end
    served = Thread.new { handler.serve(stream.new) }
    client = track(RawConnection.new(near))
    client.greet
    expect(get(client, "/stream")).to eq(200)
    client.close
    expect(served.join(30)).to be(served)
    expect(far).to be_closed
  end

  it "refuses what cannot be served, and leaves it alone" do
    listener = TCPServer.new("127.0.0.1", 0)
    datagrams = UDPSocket.new
    reader, writer = IO.pipe
    [nil, "a string", listener, datagrams, reader, Object.new].each do |wrong|
      expect { handler.serve(wrong) }.to raise_error(ArgumentError)
    end
    expect([listener, datagrams, reader].map(&:closed?)).to all(be(false))
  ensure
    [listener, datagrams, reader, writer].each(&:close)
  end

  it "raises IOError for a socket that is closed" do
    _, socket = pair
    socket.close
    expect { handler.serve(socket) }.to raise_error(IOError, /closed/)
  end

  it "raises ArgumentError for an SSLSocket without a handshake" do
    _, socket = pair
    ssl = OpenSSL::SSL::SSLSocket.new(socket, OpenSSL::SSL::SSLContext.new)
    expect { handler.serve(ssl) }.to raise_error(ArgumentError, /handshake/)
    expect(socket).not_to be_closed
    socket.close
  end

  it "returns when the client has reset the connection before it is served" do
    server = TCPServer.new("127.0.0.1", 0)
    client = TCPSocket.new("127.0.0.1", server.local_address.ip_port)
    client.setsockopt(Socket::SOL_SOCKET, Socket::SO_LINGER, [1, 0].pack("ii"))
    socket = server.accept
    client.close
    socket.wait_readable(30)
    expect(handler.serve(socket)).to be_nil
    expect(socket).to be_closed
  ensure
    server.close
  end

  it "returns when the client talks nonsense" do
    client, socket = pair
    served = Thread.new { handler.serve(socket) }
    client.write("\0" * 64)
    expect(served.join(30)).to be(served)
  end

  it "serves many connections at once with few threads" do
    server = listen(handler)
    clients = Array.new(100) { connect(server) }
    expect(clients.map { |client| get(client) }).to all(eq(200))
    workers = Thread.list.count { |thread| thread.name&.match?(/\Ahyperion-rs \d+\z/) }
    expect(workers).to be <= described_class::DISPATCH_POOL_MAX
  end

  it "answers others while some requests take long" do
    gate = Thread::Queue.new
    app = ->(env) { [200, {}, [env["PATH_INFO"] == "/slow" ? gate.pop : "fast"]] }
    server = listen(handler(app))
    client = connect(server)
    slow = [1, 3, 5, 7, 9, 11]
    slow.each { |stream| client.write(Frames.headers(stream, Frames.request("/slow"))) }
    expect(get(client, "/fast", stream: 13)).to eq(200)
    slow.size.times { gate << "slow" }
    slow.each { |stream| client.wait_for_end(stream) }
  end

  it "ends its connections after their requests on shutdown, and every later one at once" do
    gate = Thread::Queue.new
    entered = Latch.new
    app = lambda { |_env|
      entered.open
      [200, {}, [gate.pop]]
    }
    handler = handler(app)
    server = listen(handler)
    client = connect(server)
    client.write(Frames.headers(1))
    entered.wait
    handler.shutdown
    client.wait_for("GOAWAY") { |frame| frame.type == Frames::GOAWAY }
    gate << "finished"
    client.wait_for_end(1)
    expect(client.body(1)).to eq("finished")
    expect(server.ended).to be_nil
    late = track(RawConnection.bare(server.port))
    late.write(Frames::PREFACE + Frames.settings)
    late.wait_for_close
    expect(server.ended).to be_nil
  end
end
