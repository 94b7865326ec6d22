# frozen_string_literal: true

require "logger"
require "stringio"
require "hyperion_rs/restart"

RSpec.describe HyperionRs::Restart do
  let!(:natives) { FakeNative.install(self) }
  let(:log) { StringIO.new }
  let(:program) { instance_double(HyperionRs::Program, exec: nil, command: %w[ruby app]) }
  let(:options) { { host: "127.0.0.1", port: 0 } }
  let(:server) do
    configuration = HyperionRs::Configuration.new(options, env: {})
    HyperionRs::Server.new(->(_env) { [204, {}, []] }, configuration, logger: Logger.new(log), output: StringIO.new)
  end

  around { |example| in_temporary_directory { example.run } }

  # Runs the server; the block is called, in a thread, while it runs.
  def run(program: self.program, **options, &block)
    server.bind
    acting = Thread.new { natives.first.running.wait.then(&block) }
    described_class.run(server, program:, **options)
    acting.join
  end

  it "begins the program anew with the sockets at SIGUSR2" do
    run { Process.kill(:USR2, Process.pid) }
    expect(program).to have_received(:exec).with({ "HYPERION_RS_LISTEN_FDS" => "41,42" }, [41, 42])
    expect(log.string).to include("restart (SIGUSR2): finishing requests in flight")
  end

  it "does so when tmp/restart.txt is touched" do
    stub_const("HyperionRs::RestartFile::INTERVAL", 0.01)
    run { write_file("tmp/restart.txt", "") }
    expect(program).to have_received(:exec)
    expect(log.string).to include("restart (tmp/restart.txt)")
  end

  it "looks at no file when tmp_restart is off" do
    options[:tmp_restart] = false
    expect(HyperionRs::RestartFile).not_to receive(:watch)
    run { server.shutdown }
  end

  it "ends when the server is shut down, also after a restart began" do
    run do
      # It ends only by the shutdown.
      allow(natives.first).to receive(:hand_over)
      server.restart
      server.shutdown
    end
    expect(natives.first).to have_received(:hand_over)
    expect(program).not_to have_received(:exec)
  end

  it "restores the previous trap" do
    original = Signal.trap("USR2", previous = -> {})
    run { server.shutdown }
    expect(Signal.trap("USR2", original)).to be(previous)
  end

  it "removes the pidfile that this process wrote" do
    pidfile = write_file("server.pid", Process.pid.to_s)
    run(pidfile:) { server.restart }
    expect(File).not_to exist(pidfile)
  end

  it "says why the program cannot be started again" do
    allow(program).to receive(:exec).and_raise(Errno::ENOENT, "ruby")
    expect { run { server.restart } }
      .to raise_error(HyperionRs::RestartError, "cannot restart ruby app: No such file or directory - ruby")
  end

  it "only runs the server where the system does not tell how the program was started" do
    run(program: nil) { server.restart }
    expect(server).to be_restarting
  end
end
