# frozen_string_literal: true

require "json"

RSpec.describe "handlers" do
  # Answers what the app sees of the server.
  let(:app) do
    <<~'RACKUP'
      require "json"
      run lambda { |env|
        seen = env.slice("SERVER_PROTOCOL", "rack.url_scheme", "HTTPS", "SERVER_PORT", "HTTP_HOST", "SERVER_SOFTWARE")
        [200, { "content-type" => "application/json" }, [JSON.generate(seen.merge("env" => ENV["RACK_ENV"]))]]
      }
    RACKUP
  end

  def seen(response)
    expect(response).to have_attributes(status: 200, protocol: "2")
    JSON.parse(response.body)
  end

  %w[hyperion_rs hyperion-rs HyperionRs].each do |name|
    it "serves with rackup -s #{name}, in cleartext" do
      server = start_server(app:, via: name)
      expect(server.out).to match(%r{ \(h2c, http/1\.1\) — Ruby #{RUBY_VERSION}, Rack \d\.\d, threads 4:16$})
      expect(seen(curl(server.url("/")))).to include("SERVER_PROTOCOL" => "HTTP/2", "rack.url_scheme" => "http")
    end
  end

  it "serves with rackup over TLS, with Rack::Lint in the stack" do
    server = start_server(app:, via: :rackup, tls: true)
    expect(server.url).to start_with("https://127.0.0.1:")
    expect(seen(curl(server.url("/")))).to include(
      "SERVER_PROTOCOL" => "HTTP/2", "rack.url_scheme" => "https", "HTTPS" => "on", "SERVER_PORT" => server.port.to_s,
      "HTTP_HOST" => "127.0.0.1:#{server.port}", "env" => "development"
    )
  end

  it "serves with a certificate of the user" do
    pair = Certificates.generate
    options = { tls_cert: write_file("cert.pem", pair.certificate), tls_key: write_file("key.pem", pair.key) }
    server = start_server(app:, via: :rackup, options:)
    expect(seen(curl(server.url("/"), "--cacert", options[:tls_cert]))).to include("HTTPS" => "on")
  end

  it "uses the environment that rackup was given" do
    server = start_server(app:, via: :rackup, arguments: %w[-E production -o 127.0.0.1 -p 0])
    expect(seen(curl(server.url("/")))).to include("env" => "production")
  end

  it "lets the config file choose the port under rackup's default" do
    write_file("config/hyperion_rs.rb", "port 0, '127.0.0.1'")
    server = start_server(app:, via: :rackup, arguments: [])
    expect(server.port).not_to eq(9292)
    expect(seen(curl(server.url("/")))).to include("HTTP_HOST" => "127.0.0.1:#{server.port}")
  end

  it "takes several HTTP/2 clients at once" do
    server = start_server(app:, via: :rackup, tls: true)
    result = h2load(server.url("/"), requests: 2_000, clients: 8, streams: 32)
    expect([result.succeeded, result.failed, result.statuses["2xx"]]).to eq([2_000, 0, 2_000])
  end

  it "runs inside another program until that shuts it down" do
    program = write_file("embedding.rb", <<~'RUBY')
      require "hyperion_rs"
      app = ->(env) { [200, { "content-type" => "text/plain" }, ["embedded"]] }
      server = HyperionRs::Server.new(app, { host: "127.0.0.1", port: 0 })
      server.bind
      thread = Thread.new { server.run }
      system("curl", "-s", "--http2-prior-knowledge", server.url, exception: true)
      server.shutdown
      puts " and #{thread.join(30) ? "ended" : "hung"}, #{server.stats.values.all?(Integer)}"
    RUBY
    result = ChildProcess.run(RbConfig.ruby, "-I", ServerProcess::LIBRARY, program, directory: temporary_directory)
    expect(result.out.lines.last).to eq("embedded and ended, true\n"), result.err
  end

  it "ends at once when it is shut down before it runs" do
    program = write_file("early.rb", <<~'RUBY')
      require "hyperion_rs"
      server = HyperionRs::Server.new(->(env) { [200, {}, []] }, { host: "127.0.0.1", port: 0 })
      server.bind
      server.shutdown
      server.run
      puts "ended"
    RUBY
    result = ChildProcess.run(RbConfig.ruby, "-I", ServerProcess::LIBRARY, program, directory: temporary_directory)
    expect([result.status.exitstatus, result.out]).to eq([0, "ended\n"]), result.err
  end
end
