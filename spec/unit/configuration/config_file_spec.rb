# frozen_string_literal: true

RSpec.describe HyperionRs::Configuration::ConfigFile do
  def load_file(text)
    described_class.load(path = write_file("hyperion_rs.rb", text))
  rescue HyperionRs::ConfigurationError => e
    raise e.class, e.message.gsub(path, "FILE"), cause: e.cause
  end

  def value(text, name)
    load_file(text)[name].value
  end

  it "has every option as a method" do
    names = HyperionRs::Configuration::OPTIONS.names - [:config]
    expect(names - described_class.public_instance_methods).to be_empty
  end

  it "takes values as Ruby or as words" do
    layer = load_file(<<~CONFIG)
      backlog 5
      keepalive_timeout "500ms"
      max_body_size "5MiB"
      request_buffering false
      log_level :warn
      environment "production"
    CONFIG
    names = %i[backlog keepalive_timeout max_body_size request_buffering log_level environment]
    expect(names.map { |name| layer[name].value }).to eq([5, 0.5, 5 << 20, false, "warn", "production"])
  end

  it "knows the line that a value came from" do
    layer = load_file("\nport 80\n[1].each do\n  backlog 5\nend\n")
    expect([layer[:port], layer[:backlog]].map { |setting| setting.origin[/\w+\.rb:\d+\z/] })
      .to eq(%w[hyperion_rs.rb:2 hyperion_rs.rb:4])
  end

  it "takes threads as in Puma" do
    expect(value("threads 4, 16", :threads)).to eq(4..16)
    expect(value("threads 8", :threads)).to eq(8..8)
    expect(value("threads '2:4'", :threads)).to eq(2..4)
  end

  it "takes port as in Puma, with a host" do
    layer = load_file('port ENV.fetch("NO_SUCH_VARIABLE", 3000), "::1"')
    expect([layer[:port].value, layer[:host].value]).to eq([3000, "::1"])
  end

  it "adds up binds" do
    expect(value("bind 'tcp://a:1'\nbind 'unix:///b'", :bind)).to eq(%w[tcp://a:1 unix:///b])
  end

  it "takes a certificate and key, or the development one" do
    layer = load_file('tls cert: "/c.pem", key: "/k.pem"')
    expect([layer[:tls_cert].value, layer[:tls_key].value, layer[:tls]]).to eq(["/c.pem", "/k.pem", nil])
    expect(value("tls :dev", :tls)).to eq("dev")
  end

  it "turns a switch on without a value" do
    expect(value("debug", :debug)).to be(true)
  end

  it "takes the file that Rails writes for Puma" do
    layer = load_file(<<~'CONFIG')
      max_threads_count = ENV.fetch("NO_SUCH_VARIABLE") { 5 }
      threads 2, max_threads_count
      port ENV.fetch("NO_SUCH_VARIABLE") { 3000 }
      environment ENV.fetch("NO_SUCH_VARIABLE") { "production" }
      pidfile ENV.fetch("NO_SUCH_VARIABLE") { "tmp/pids/server.pid" }
      workers 0
      tmp_restart false
      plugin :tmp_restart
    CONFIG
    values = %i[threads port environment pidfile tmp_restart].map { |name| layer[name].value }
    expect(values).to eq([2..5, 3000, "production", File.expand_path("tmp/pids/server.pid"), true])
  end

  it "reads UTF-8 whatever the locale" do
    encoding = Encoding.default_external
    silence { Encoding.default_external = "US-ASCII" }
    expect(value("# grüße\nport 80", :port)).to eq(80)
  ensure
    silence { Encoding.default_external = encoding }
  end

  def silence
    verbose = $VERBOSE
    $VERBOSE = nil
    yield
  ensure
    $VERBOSE = verbose
  end

  {
    "prot 80" => "unknown option prot (from FILE:1); did you mean port?",
    "\nworkers 2" => "config: FILE:2: workers 2: there is one process so far; take the line out, and give it more " \
                     "threads, or start several and a proxy before them",
    "on_worker_boot { 1 }" => "config: FILE:1: on_worker_boot: there is one process so far; take the line out, and " \
                              "give it more threads, or start several and a proxy before them",
    "plugin :solid_queue" => "config: FILE:1: there is no plugin solid_queue, only tmp_restart (ArgumentError)",
    "config 'x.rb'" => "unknown option config (from FILE:1); see hyperion-rs --help",
    "\n\nport :http" => "port: :http (from FILE:3) is not allowed; allowed: a whole number from 0 to 65535",
    "backlog" => "config: FILE:1: backlog takes one value (ArgumentError)",
    "backlog 1, 2" => "config: FILE:1: backlog takes one value (ArgumentError)",
    "tls cert: 'c.pem'" => "config: FILE:1: tls takes :dev, or cert: and key: (ArgumentError)",
    "\nraise 'no'" => "config: FILE:2: no (RuntimeError)",
    "require 'no/such/file'" => "config: FILE:1: cannot load such file -- no/such/file (LoadError)"
  }.each do |text, message|
    it "says of #{text.strip.inspect}: #{message}" do
      expect { load_file(text) }.to raise_error(HyperionRs::ConfigurationError, message)
    end
  end

  it "says where a syntax error is" do
    expect { load_file("port 80\nthreads (") }
      .to raise_error(HyperionRs::ConfigurationError, /\Aconfig: FILE:\d+: .*syntax error/)
  end

  it "says that it cannot read a file" do
    expect { described_class.load("/no/such/file.rb") }
      .to raise_error(HyperionRs::ConfigurationError, "config: cannot read /no/such/file.rb: No such file or directory")
  end
end
