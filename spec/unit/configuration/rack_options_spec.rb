# frozen_string_literal: true

RSpec.describe HyperionRs::Configuration::RackOptions do
  def rack(options, rack_env = nil)
    described_class.new(options, rack_env)
  end

  # What rackup passes when the user gave nothing.
  let(:rackup) do
    { environment: "development", pid: nil, Port: 9292, Host: "localhost", AccessLog: [], config: "/app/config.ru",
      server: "hyperion_rs" }
  end
  # What `rails server` passes.
  let(:rails) do
    { user_supplied_options: [], server: "hyperion_rs", log_stdout: true, Port: 3000, Host: "localhost",
      DoNotReverseLookup: true, config: "config.ru", environment: "development", daemonize: false,
      pid: "/app/tmp/pids/server.pid", caching: nil, restart_cmd: "bin/rails server --restart", early_hints: nil,
      AccessLog: [] }
  end

  it "takes an option by its name" do
    layer = rack({ threads: "2:4", tls_cert: "/c.pem" }).explicit
    expect([layer[:threads].value, layer[:threads].origin]).to eq([2..4, "-O threads"])
  end

  it "takes string keys" do
    expect(rack({ "threads" => "2:4" }).explicit[:threads].value).to eq(2..4)
  end

  it "takes Rack's and Puma's names" do
    layer = rack({ Host: "::1", Port: "80", Threads: "0:4", environment: "production", debug: true }).explicit
    expect(%i[host port threads environment debug].map { |name| layer[name].value })
      .to eq(["::1", 80, 1..4, "production", true])
  end

  it "takes the config file under a key of its own, since rackup's config is the config.ru" do
    layer = rack({ config: "other.ru", config_file: "/x.rb" }).explicit
    expect(layer[:config].value).to eq("/x.rb")
  end

  it "counts what rackup fills in as defaults" do
    options = rack(rackup)
    expect([options.explicit[:port], options.explicit[:host]]).to eq([nil, nil])
    expect([options.defaults[:port].value, options.defaults[:host].value]).to eq([9292, "localhost"])
  end

  it "tells -p 9292 from rackup's default by its type" do
    expect(rack(rackup.merge(Port: "9292")).explicit[:port].value).to eq(9292)
  end

  it "counts a host that differs from rackup's default as asked for" do
    expect(rack(rackup.merge(Host: "127.0.0.1")).explicit[:host].value).to eq("127.0.0.1")
    expect(rack(rackup.merge(Host: "0.0.0.0"), "production").explicit[:host]).to be_nil
    expect(rack(rackup.merge(Host: "localhost"), "production").explicit[:host].value).to eq("localhost")
  end

  it "counts an Integer port of an embedding program as asked for" do
    expect(rack({ Port: 41_234, Host: "127.0.0.1" }).explicit[:port].value).to eq(41_234)
  end

  it "accepts all that Rails passes, and counts what the user did not supply as defaults" do
    options = rack(rails)
    expect([options.explicit[:port], options.defaults[:port].value, options.defaults[:host].value])
      .to eq([nil, 3000, "localhost"])
  end

  it "takes Rails' --early-hints" do
    expect(rack(rails.merge(early_hints: true)).explicit[:early_hints].value).to be(true)
    expect(rack(rails).explicit[:early_hints]).to be_nil
  end

  it "counts what the user supplied to Rails as asked for, even if it equals a default" do
    options = rack(rails.merge(user_supplied_options: [:Port]))
    expect([options.explicit[:port].value, options.explicit[:host], options.defaults[:port]]).to eq([3000, nil, nil])
  end

  it "is quiet when rackup or Puma's users ask for it" do
    expect(rack({ quiet: true }).defaults[:log_level].value).to eq("warn")
    expect(rack({ Silent: true }).defaults[:log_level].value).to eq("warn")
    expect(rack({}).defaults[:log_level]).to be_nil
  end

  it "leaves out each option of others" do
    described_class.ignored.each_key do |key|
      expect { rack({ key => "x", user_supplied_options: [] }).explicit }.not_to raise_error
    end
  end

  {
    { tls_crt: "c.pem" } => "unknown option tls_crt (from -O tls_crt); did you mean tls_cert?",
    { SSLCertificate: "x" } => "unknown option SSLCertificate (from -O SSLCertificate); see hyperion-rs --help",
    { rackup: "x.ru" } => "unknown option rackup (from -O rackup); see hyperion-rs --help",
    { threads: true } => "threads: true (from -O threads) is not allowed; allowed: MIN:MAX or one number, such as " \
                         "4:16 or 8, from 1 to 1024, MIN not above MAX",
    { Port: "http" } => 'port: "http" (from -p (Port)) is not allowed; allowed: a whole number from 0 to 65535'
  }.each do |options, message|
    it "says of #{options}: #{message}" do
      expect { rack(options).explicit }.to raise_error(HyperionRs::ConfigurationError, message)
    end
  end
end
