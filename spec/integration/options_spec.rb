# frozen_string_literal: true

require "socket"

RSpec.describe "options" do
  let(:app) { ServerHelper::HELLO }

  # What the server announces to Node's client.
  def remote_settings(server)
    node(server.url, 'session.on("remoteSettings", (settings) => done(settings));')
  end

  it "announces its HTTP/2 settings" do
    expect(remote_settings(start_server(app:))).to include(
      maxConcurrentStreams: 128, initialWindowSize: 1 << 20, maxFrameSize: 1 << 20, maxHeaderListSize: 64 << 10
    )
  end

  it "announces those that are configured" do
    options = { h2_max_concurrent_streams: 5, h2_initial_window_size: "64KiB", h2_max_frame_size: "32KiB",
                h2_max_header_list_size: "8KiB" }
    expect(remote_settings(start_server(app:, options:))).to include(
      maxConcurrentStreams: 5, initialWindowSize: 64 << 10, maxFrameSize: 32 << 10, maxHeaderListSize: 8 << 10
    )
  end

  it "clamps what HTTP/2 does not allow, with a warning" do
    server = start_server(app:, options: { h2_max_frame_size: 5, h2_initial_window_size: "3GiB" })
    server.wait_for(/WARN .*h2 max_frame_size below spec minimum; clamping configured=5 clamped_to=16384$/)
    server.wait_for(/WARN .*h2 initial_window_size above spec maximum; clamping configured=3221225472 /)
    expect(remote_settings(server)).to include(initialWindowSize: (2**31) - 1, maxFrameSize: 16_384)
  end

  it "sends its name, or the one that is configured" do
    expect(curl(start_server(app:).url("/"))["server"]).to eq(["hyperion-rs"])
    expect(curl(start_server(app:, options: { server_header: "mine" }).url("/"))["server"]).to eq(["mine"])
  end

  it "refuses a body that is larger than allowed" do
    server = start_server(options: { max_body_size: "1KiB" })
    statuses = [1024, 1025].map do |size|
      # Not curl: before 8.0 it forgets a response when RST_STREAM with NO_ERROR comes after it (RFC 9113, 8.1).
      node(server.url, <<~JAVASCRIPT)
        const request = session.request({ ":method": "POST", ":path": "/upload" });
        request.on("response", (headers) => done(headers[":status"]));
        request.end(Buffer.alloc(#{size}));
      JAVASCRIPT
    end
    expect(statuses).to eq([200, 413])
  end

  it "listens on every address that it is given" do
    socket = File.join(temporary_directory, "app.sock")
    server = start_server(app:, arguments: ["-b", "tcp://127.0.0.1:0", "-b", "unix://#{socket}"])
    expect(server.urls.size).to eq(2)
    expect(server.urls).to include("unix://#{socket}")
    tcp = server.urls.find { |url| url.start_with?("http:") }
    expect(curl("#{tcp}/").body).to eq("hello over HTTP/2\n")
    expect(curl("http://localhost/", "--unix-socket", socket).body).to eq("hello over HTTP/2\n")
  end

  it "listens on IPv6" do
    server = start_server(app:, arguments: ["-o", "::1", "-p", "0"])
    expect(server.url).to start_with("http://[::1]:")
    expect(curl(server.url("/")).body).to eq("hello over HTTP/2\n")
  end

  it "shows the name of the host that it was given" do
    server = start_server(app:, tls: true, arguments: ["-o", "localhost", "-p", "0"])
    expect(server.url).to start_with("https://localhost:")
    expect(curl(server.url("/")).body).to eq("hello over HTTP/2\n")
  end

  it "reads HYPERION_RS_* and the config file" do
    write_file("config/hyperion_rs.rb", "threads 1, 2\nserver_header 'from the file'")
    server = start_server(app:, env: { "HYPERION_RS_THREADS" => "3:5" })
    expect(server.out).to include("threads 3:5")
    expect(curl(server.url("/"))["server"]).to eq(["from the file"])
  end

  it "obeys PORT and RAILS_MAX_THREADS" do
    # Held, so that nobody else is given it meanwhile; without a queue it may be bound once more.
    holder = Socket.new(:INET, :STREAM)
    holder.setsockopt(:SOCKET, :REUSEADDR, true)
    holder.bind(Addrinfo.tcp("127.0.0.1", 0))
    free = holder.local_address.ip_port
    server = start_server(app:, arguments: ["-o", "127.0.0.1"],
                          env: { "PORT" => free.to_s, "RAILS_MAX_THREADS" => "2" })
    expect([server.port, server.out[/threads \S+/]]).to eq([free, "threads 2:2"])
  ensure
    holder&.close
  end

  it "writes its process id while it runs" do
    path = File.join(temporary_directory, "server.pid")
    server = start_server(app:, options: { pidfile: path })
    expect(File.read(path)).to eq("#{server.pid}\n")
    expect(server.stop.exitstatus).to eq(0)
    expect(File).not_to exist(path)
  end

  it "keeps the development certificate between starts" do
    certificates = Array.new(2) do
      server = start_server(app:, tls: true)
      tls = OpenSSL::SSL::SSLSocket.new(TCPSocket.new("127.0.0.1", server.port)).connect
      tls.peer_cert.to_der.tap { tls.close }
    end
    expect(certificates.uniq.size).to eq(1)
  end
end
