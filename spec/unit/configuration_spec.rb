# frozen_string_literal: true

RSpec.describe HyperionRs::Configuration do
  # A directory without a config file, unless the example writes one.
  around { |example| in_temporary_directory { example.run } }

  def configuration(options = {}, env: {})
    described_class.new(options, env:)
  end

  def from_rack(options, env: {})
    described_class.from_rack(options, env:)
  end

  def config_file(text)
    write_file("config/hyperion_rs.rb", text)
  end

  describe "sources" do
    it "has a default for everything" do
      expect([configuration.port, configuration.threads, configuration.environment]).to eq([9292, 4..16, "development"])
      expect(configuration.origin(:port)).to eq("default")
    end

    it "goes from explicit options over HYPERION_RS_*, the config file and PORT to the defaults" do
      env = { "PORT" => "1000" }
      expect(configuration(env:).port).to eq(1000)
      config_file("port 2000")
      expect(configuration(env:).port).to eq(2000)
      env["HYPERION_RS_PORT"] = "3000"
      expect(configuration(env:).port).to eq(3000)
      expect(configuration({ port: 4000 }, env:).port).to eq(4000)
    end

    it "puts what rackup or Rails fills in below PORT and the config file" do
      rackup = { Port: 9292, Host: "localhost" }
      expect(from_rack(rackup, env: { "PORT" => "1000" }).port).to eq(1000)
      config_file("port 2000, '127.0.0.1'")
      expect(from_rack(rackup).binds).to eq(["tcp://127.0.0.1:2000"])
      expect(from_rack({ Port: 3000, Host: "localhost",
                         user_supplied_options: [] }).binds).to eq(["tcp://127.0.0.1:2000"])
    end

    it "puts what the user asked rackup or Rails for above the config file" do
      config_file("port 2000")
      expect(from_rack({ Port: "9292" }).port).to eq(9292)
      expect(from_rack({ Port: 3000, user_supplied_options: [:Port] }).port).to eq(3000)
    end

    it "says where each value came from" do
      config_file("\nbacklog 5")
      subject = configuration({ port: 80 }, env: { "HYPERION_RS_THREADS" => "8" })
      expect(%i[port threads backlog host].map { |name| subject.origin(name) })
        .to eq(["option port", "HYPERION_RS_THREADS", "config/hyperion_rs.rb:2", "default"])
    end

    it "reads another config file when one is named" do
      config_file("port 1")
      path = write_file("other.rb", "port 2")
      expect(configuration({ config: path }).port).to eq(2)
      expect(configuration(env: { "HYPERION_RS_CONFIG" => path }).port).to eq(2)
      expect(from_rack({ config_file: path }).port).to eq(2)
    end

    it "refuses a named config file that is missing" do
      expect { configuration({ config: "/no/such.rb" }) }
        .to raise_error(HyperionRs::ConfigurationError, "config: cannot read /no/such.rb: No such file or directory")
    end

    it "refuses unknown options" do
      expect { configuration({ prot: 80 }) }
        .to raise_error(HyperionRs::ConfigurationError, "unknown option prot (from option prot); did you mean port?")
      expect { configuration.origin(:prot) }.to raise_error(KeyError)
    end

    it "takes the thread maximum of RAILS_MAX_THREADS unless threads are given" do
      env = { "RAILS_MAX_THREADS" => "5" }
      expect(configuration(env:).threads).to eq(4..5)
      expect(configuration({ threads: "2:8" }, env:).threads).to eq(2..8)
    end

    it "listens on localhost in development only" do
      expect(configuration.host).to eq("localhost")
      expect(configuration(env: { "RACK_ENV" => "production" }).host).to eq("0.0.0.0")
      expect(configuration({ environment: "production" }).host).to eq("0.0.0.0")
    end
  end

  describe "#binds" do
    it "is the host and port" do
      expect(configuration({ host: "127.0.0.1", port: 0 }).binds).to eq(["tcp://127.0.0.1:0"])
      expect(configuration({ host: "::1", port: 80 }).binds).to eq(["tcp://[::1]:80"])
    end

    it "is bind alone when the address comes from a weaker source" do
      config_file("bind 'unix:///run/a.sock'")
      expect(configuration(env: { "PORT" => "80" }).binds).to eq(["unix:///run/a.sock"])
      expect(from_rack({ Port: 9292, Host: "localhost" }).binds).to eq(["unix:///run/a.sock"])
    end

    it "is the address alone when that comes from a stronger source" do
      config_file("bind 'unix:///run/a.sock'")
      expect(configuration({ port: 80 }).binds).to eq(["tcp://localhost:80"])
    end

    it "is both when they come from the same source" do
      config_file("bind 'unix:///run/a.sock'\nport 80")
      expect(configuration.binds).to eq(["unix:///run/a.sock", "tcp://localhost:80"])
    end
  end

  describe "TLS" do
    let(:certificate) { write_file("cert.pem", "certificate") }
    let(:key) { write_file("key.pem", "key") }

    it "is off without a certificate" do
      expect(configuration.tls?).to be(false)
    end

    it "is on with a certificate and key, or the development certificate" do
      expect(configuration({ tls_cert: certificate, tls_key: key }).tls?).to be(true)
      expect(configuration({ tls: "dev" }).tls?).to be(true)
    end

    it "needs both files" do
      expect { configuration({ tls_cert: certificate }) }
        .to raise_error(HyperionRs::ConfigurationError, "tls_cert (from option tls_cert) needs tls_key as well")
      expect { configuration({ tls_key: key }) }
        .to raise_error(HyperionRs::ConfigurationError, "tls_key (from option tls_key) needs tls_cert as well")
    end

    it "names a file that is missing or no file" do
      expect { configuration({ tls_cert: "no.pem", tls_key: key }) }
        .to raise_error(HyperionRs::ConfigurationError,
                        "tls_cert: cannot read #{Dir.pwd}/no.pem (from option tls_cert): No such file or directory")
      expect { configuration({ tls_cert: certificate, tls_key: "." }) }
        .to raise_error(HyperionRs::ConfigurationError,
                        "tls_key: cannot read #{Dir.pwd} (from option tls_key): Is a directory")
    end

    it "refuses two certificates from one source" do
      expect { configuration({ tls: "dev", tls_cert: certificate, tls_key: key }) }
        .to raise_error(HyperionRs::ConfigurationError,
                        "tls (from option tls) and tls_cert (from option tls_cert) exclude each other")
    end

    it "lets the stronger source choose the certificate" do
      config_file("tls cert: '#{certificate}', key: '#{key}'")
      expect(configuration({ tls: "dev" }).native_settings).to include(tls_dev: true, tls_cert: nil, tls_key: nil)
      config_file("tls :dev")
      expect(configuration({ tls_cert: certificate, tls_key: key }).native_settings)
        .to include(tls_dev: nil, tls_cert: certificate, tls_key: key)
    end

    it "refuses WEBrick's SSLEnable without a certificate" do
      expect { from_rack({ SSLEnable: true }) }.to raise_error(HyperionRs::ConfigurationError, /SSLEnable asks for TLS/)
      expect(from_rack({ SSLEnable: true, tls: "dev" }).tls?).to be(true)
      expect(from_rack({ SSLEnable: false }).tls?).to be(false)
    end
  end

  describe "#notices" do
    it "has one for each value that was clamped" do
      notices = configuration({ h2_max_frame_size: 1, h2_initial_window_size: "3GiB" }).notices
      expect(notices.map(&:to_s)).to contain_exactly(
        "h2 max_frame_size below spec minimum; clamping configured=1 clamped_to=16384",
        "h2 initial_window_size above spec maximum; clamping configured=3221225472 clamped_to=2147483647"
      )
    end

    it "says when no request could pass a limit" do
      notices = configuration({ h2_initial_window_size: 0, h2_max_header_list_size: 1 }).notices
      expect(notices.map(&:to_s)).to contain_exactly(
        "h2 initial_window_size below usable minimum; clamping configured=0 clamped_to=1024",
        "h2 max_header_list_size below usable minimum; clamping configured=1 clamped_to=1024"
      )
    end

    it "leaves out values that a stronger source replaced" do
      config_file("h2_max_frame_size 1")
      expect(configuration({ h2_max_frame_size: "1MiB" }).notices).to be_empty
    end
  end

  it "redirects to https only with TLS" do
    expect(configuration({ tls: "dev", https_redirect_bind: "tcp://[::1]:80" }).https_redirect_bind)
      .to eq(["tcp://[::1]:80"])
    expect { configuration({ https_redirect_bind: "tcp://a:80" }) }
      .to raise_error(HyperionRs::ConfigurationError,
                      "https_redirect_bind (from option https_redirect_bind) needs TLS: tls_cert and tls_key, or tls")
  end

  describe "#native_settings" do
    # The interface of the Rust side.
    let(:keys) do
      %i[bind backlog tls_cert tls_key tls_dev tls_dev_dir threads_min threads_max io_threads tls_handshake_timeout
         header_timeout body_timeout write_timeout keepalive_timeout shutdown_timeout ping_interval ping_timeout
         max_connections max_in_flight max_body_size request_buffer response_buffer response_spill max_pending_bytes
         spill_limit request_buffering spill_dir h2_max_concurrent_streams h2_initial_window_size h2_max_frame_size
         h2_max_header_list_size h2_connect_protocol h2_timing access_log access_log_path admin_bind
         server_header server_software rack_version
         early_hints listen_fds redirect_http https_redirect_bind]
    end

    it "has exactly the settings of the Rust side" do
      expect(configuration.native_settings.keys).to match_array(keys)
    end

    it "has them typed" do
      settings = configuration({ threads: "2:8", ping_interval: "5s", bind: "unix:///run/a.sock" }).native_settings
      expect(settings).to include(
        bind: ["unix:///run/a.sock"], threads_min: 2, threads_max: 8, ping_interval: 5.0, header_timeout: 10.0,
        max_body_size: 1 << 30, request_buffering: true, tls_dev: nil, server_header: "hyperion-rs",
        server_software: "hyperion-rs/#{HyperionRs::VERSION}",
        rack_version: Rack.release.split(".").first(2).map(&:to_i)
      )
    end
  end

  it "cannot be changed" do
    expect(configuration).to be_frozen
  end
end
