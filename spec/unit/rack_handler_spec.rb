# frozen_string_literal: true

RSpec.describe HyperionRs::RackHandler do
  let!(:natives) { FakeNative.install(self) }
  let(:app) { ->(_env) { [204, {}, []] } }

  around { |example| in_temporary_directory { example.run } }

  # Runs the handler in a thread, as an embedding program does; the block gets the server.
  def run(**options, &block)
    served = Latch.new
    thread = Thread.new do
      described_class.run(app, Host: "127.0.0.1", Port: 0, quiet: true, **options) { |server| served.open(server) }
    end
    thread.report_on_exception = false
    use(served.wait, &block)
  ensure
    thread.join(30)
  end

  def use(server)
    natives.first.running.wait
    yield server
  ensure
    server.shutdown
  end

  it "yields the bound server, runs it and ends with it" do
    run do |server|
      expect([server.app, server.url]).to eq([app, "http://127.0.0.1:41234"])
      expect(server).to respond_to(:stop, :shutdown)
    end
    expect(natives.first.stats).to eq(runs: 1)
  end

  it "takes the options of hyperion-rs, Rack and Rails" do
    run(threads: "2:4", daemonize: false, early_hints: nil) do
      expect(natives.first.settings).to include(threads_min: 2, threads_max: 4)
    end
  end

  it "takes the options of older callers as a hash" do
    configuration = nil
    described_class.run(app, { Port: 0, quiet: true }) do |server|
      configuration = server.configuration
      server.shutdown
    end
    expect(configuration.port).to eq(0)
  end

  it "needs no block" do
    allow(natives).to receive(:<<, &:shutdown)
    expect(described_class.run(app, Port: 0, quiet: true)).to be_nil
  end

  it "ends the process with one line when the configuration is wrong" do
    expect { described_class.run(app, tls_crt: "x") }
      .to output("hyperion-rs: unknown option tls_crt (from -O tls_crt); did you mean tls_cert?\n").to_stderr
      .and raise_error(SystemExit) { |e| expect(e.status).to eq(1) }
  end

  it "shows the cause when the native library cannot be loaded" do
    allow(HyperionRs::Native).to receive(:load!).and_raise(HyperionRs::NativeLibraryError, "cannot load: libfoo.so")
    expect { described_class.run(app, Port: 0) }
      .to output("hyperion-rs: cannot load: libfoo.so\n").to_stderr.and raise_error(SystemExit)
  end

  it "shows a backtrace with debug" do
    expect { described_class.run(app, tls_crt: "x", debug: true) }
      .to output(%r{lib/hyperion_rs/\S+\.rb:\d+:in}).to_stderr.and raise_error(SystemExit)
  end

  it "raises in another thread, where the program around it decides" do
    thread = Thread.new { described_class.run(app, tls_crt: "x") }
    thread.report_on_exception = false
    expect { thread.join(30) }.to raise_error(HyperionRs::ConfigurationError)
  end

  it "describes its options for rackup's help" do
    expect(described_class.valid_options).to include(
      "header_timeout=SECONDS" => "time for a request's head to arrive (then 408) (default: 10 s)",
      "config_file=FILE" => "config file in Ruby (default: config/hyperion_rs.rb, if there is one)"
    )
    expect(described_class.valid_options.keys.join(" ")).not_to match(/\b(rackup|config)=/)
  end
end
