# frozen_string_literal: true

require "logger"
require "stringio"

RSpec.describe HyperionRs::Server do
  subject(:server) { server_with }

  let!(:natives) { FakeNative.install(self) }
  let(:app) { ->(_env) { [204, {}, []] } }
  let(:stdout) { StringIO.new }
  let(:log) { StringIO.new }

  around { |example| in_temporary_directory { example.run } }

  def server_with(level: "info", **options)
    configuration = HyperionRs::Configuration.new({ host: "127.0.0.1", port: 0 }.merge(options), env: {})
    described_class.new(app, configuration, logger: Logger.new(log, level:), output: stdout)
  end

  # Runs the server to its end; the block is called while it runs.
  def run(server)
    server.bind
    thread = Thread.new { server.run }
    natives.first.running.wait
    yield if block_given?
    server.shutdown
    expect(thread.join(30)).to be(thread)
    thread.value
  end

  describe "#bind" do
    it "starts the Rust side with the app, the settings and the logger" do
      server.bind
      native = natives.first
      expect([native.app, native.settings, native.logger])
        .to eq([app, server.configuration.native_settings, server.logger])
    end

    it "answers the URLs, once bound always the same" do
      expect(server.bind).to eq(["http://127.0.0.1:41234"])
      expect(server.bind).to equal(server.urls)
      expect(natives.size).to eq(1)
    end

    it "takes a hash of options" do
      server = described_class.new(app, { bind: "unix:///run/a.sock" }, output: stdout)
      expect([server.bind, server.url, server.port]).to eq([["unix:///run/a.sock"], "unix:///run/a.sock", nil])
    end

    it "warns of clamped settings" do
      server_with(h2_max_frame_size: 5).bind
      expect(log.string).to include("WARN").and include("h2 max_frame_size below spec minimum; clamping configured=5")
    end

    it "closes inherited sockets, which the Rust side has duplicates of, and forgets their variable" do
      reader, writer = IO.pipe
      descriptor = reader.fileno.tap { reader.autoclose = false }
      allow(ENV).to receive(:delete).with("HYPERION_RS_LISTEN_FDS")
      server_with(listen_fds: descriptor).bind
      expect(natives.first.settings).to include(listen_fds: [descriptor])
      expect { writer.write("x") }.to raise_error(Errno::EPIPE)
      expect(ENV).to have_received(:delete)
    end

    it "refuses a directory for x_sendfile that is missing" do
      expect { server_with(x_sendfile: "/no/such").bind }
        .to raise_error(HyperionRs::ConfigurationError, "x_sendfile: /no/such (from option x_sendfile): " \
                                                        "No such file or directory")
    end

    it "lets a failure through and can be called again" do
      calls = 0
      allow(HyperionRs::Native).to receive(:load!) { raise HyperionRs::NativeLibraryError, "why" if (calls += 1) == 1 }
      expect { server.bind }.to raise_error(HyperionRs::NativeLibraryError, "why")
      expect(server.urls).to be_empty
      expect(server.bind).to eq(["http://127.0.0.1:41234"])
    end
  end

  describe "#url" do
    it "is nil before the server is bound" do
      expect([server.url, server.port, server.stats]).to eq([nil, nil, {}])
    end

    it "keeps the name of the host, which may stand for several addresses" do
      server = server_with(host: "localhost", tls: "dev")
      expect(server.bind).to eq(["https://[::1]:41234", "https://127.0.0.1:41234"])
      expect([server.url, server.port]).to eq(["https://localhost:41234", 41_234])
    end

    it "is the first of several" do
      server = server_with(bind: "tcp://a:80,tcp://b:81", host: nil, port: nil)
      server.bind
      expect([server.url, server.port]).to eq(["http://a:80", 80])
    end

    it "has the brackets of an IPv6 address" do
      server = server_with(host: "::1")
      server.bind
      expect(server.url).to eq("http://[::1]:41234")
    end
  end

  describe "#run" do
    it "prints one line that says where and what it serves" do
      run(server_with(host: "localhost", tls: "dev", threads: "2:8"))
      rack = Rack.release[/\A\d+\.\d+/]
      listening = "listening on https://localhost:41234 (h2, http/1.1)"
      expect(stdout.string).to eq("hyperion-rs #{HyperionRs::VERSION} #{listening} — " \
                                  "Ruby #{RUBY_VERSION}, Rack #{rack}, threads 2:8\n")
    end

    it "prints where it redirects" do
      run(server_with(host: "localhost", tls: "dev", https_redirect_bind: "tcp://127.0.0.1:80"))
      expect(stdout.string).to include("(h2, http/1.1), redirecting http://127.0.0.1:80 — ")
    end

    it "prints every address" do
      run(server_with(bind: "unix:///a"))
      expect(stdout.string).to include("listening on unix:///a, http://127.0.0.1:41234 (h2c, http/1.1) — ")
    end

    it "prints it with a logger that does not tell its level" do
      logger = Struct.new(:lines) { def warn(line) = lines << line }.new([])
      server = described_class.new(app, { bind: "unix:///a" }, logger:, output: stdout)
      run(server)
      expect(stdout.string).to include("listening on unix:///a")
    end

    it "prints it with a logger whose level is no number" do
      logger = Struct.new(:level) { def warn(line) = line }.new(:error)
      run(described_class.new(app, { bind: "unix:///a" }, logger:, output: stdout))
      expect(stdout.string).to include("listening on unix:///a")
    end

    it "prints nothing when it should be quiet" do
      run(server_with(level: "warn"))
      expect(stdout.string).to be_empty
    end

    it "ends when the server is shut down, however often" do
      expect(run(server) { server.stop }).to be_nil
    end

    it "returns at once when it was shut down before" do
      server.shutdown
      expect(server.run).to be_nil
      expect(server.stats[:runs]).to eq(0)
    end

    it "keeps the sockets when it restarts, unless it is shut down after all" do
      run(server) { server.restart }
      expect([server.restarting?, server.listeners]).to eq([false, [41, 42]])
      server.restart
      expect(server).to be_restarting
    end

    it "holds the pidfile" do
      path = File.join(temporary_directory, "server.pid")
      held = nil
      server = server_with(pidfile: path)
      allow(stdout).to receive(:puts) { held = File.read(path) }
      run(server)
      expect([held, File.exist?(path)]).to eq(["#{Process.pid}\n", false])
    end

    it "leaves the process's signals alone in another thread" do
      expect(Signal).not_to receive(:trap)
      run(server)
    end

    it "drains at a signal in the main thread" do
      allow(stdout).to receive(:puts) { Process.kill(:TERM, Process.pid) }
      expect(server.run).to be_nil
    end
  end

  describe "#admin_urls" do
    it "is empty before the server is bound, and without admin_bind" do
      expect(server_with(admin_bind: "tcp://127.0.0.1:9394").admin_urls).to be_empty
      run(server)
      expect(server.admin_urls).to be_empty
      expect(stdout.string.lines.size).to eq(1)
    end

    it "is printed in a line of its own" do
      server = server_with(admin_bind: "tcp://127.0.0.1:9394")
      run(server)
      expect(server.admin_urls).to eq(["http://127.0.0.1:9394"])
      expect(stdout.string.lines.last)
        .to end_with("answers /metrics, /healthz and /readyz on http://127.0.0.1:9394\n")
    end
  end

  describe "#reopen_logs" do
    it "tells the Rust side, once that is there" do
      expect(server.reopen_logs).to be_nil
      server.bind
      2.times { server.reopen_logs }
      expect(natives.first.reopened).to eq(2)
    end
  end

  describe "#metrics" do
    it "are what the Rust side counts with" do
      server.bind
      expect(natives.first.metrics).to be(server.metrics.native)
    end

    it "may be given" do
      metrics = HyperionRs::Metrics.new
      expect(described_class.new(app, {}, metrics:).metrics).to be(metrics)
    end
  end

  it "logs to stderr at the configured level" do
    expect { described_class.new(app, { log_level: "warn" }).logger.warn("careful") }
      .to output(/WARN -- hyperion-rs: careful/).to_stderr
    expect(described_class.new(app, { log_level: "warn" }).logger.level).to eq(Logger::WARN)
    expect(described_class.new(app, { debug: true }).logger.level).to eq(Logger::DEBUG)
  end
end
