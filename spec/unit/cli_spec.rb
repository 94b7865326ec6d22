# frozen_string_literal: true

require "stringio"

RSpec.describe HyperionRs::CLI do
  let(:output) { StringIO.new }
  let(:errors) { StringIO.new }
  let(:env) { {} }
  let!(:rackup) { write_file("config.ru", "run ->(env) { [204, {}, []] }") }

  around { |example| in_temporary_directory { example.run } }

  def run(*argv)
    described_class.new(argv, env:, output:, errors:).run
  end

  # What the server is started with.
  def configuration_of(*argv)
    server = instance_double(HyperionRs::Server)
    allow(HyperionRs::Restart).to receive(:run)
    configuration = nil
    allow(HyperionRs::Server).to receive(:new) do |_, given, **|
      configuration = given
      server
    end
    expect(run(*argv)).to eq(0), errors.string
    expect(HyperionRs::Restart).to have_received(:run).with(server)
    configuration
  end

  it "serves config.ru with the defaults" do
    expect(configuration_of.rackup).to eq(rackup)
  end

  it "serves the named file" do
    path = write_file("other.ru", "run ->(env) { [200, {}, []] }")
    expect(configuration_of("other.ru").rackup).to eq(path)
    expect(configuration_of("--rackup", "other.ru").rackup).to eq(path)
  end

  it "takes options as flags, short and long, before and after the file" do
    configuration = configuration_of("-o", "::1", "config.ru", "-p80", "-t", "2:4", "--body-timeout=5s", "-e", "test")
    values = %i[host port threads body_timeout environment].map { |name| configuration[name] }
    expect(values).to eq(["::1", 80, 2..4, 5.0, "test"])
    expect(configuration.origin(:port)).to eq("--port")
  end

  it "takes every option as a flag" do
    words = { threads: "2:4", tls: "dev", host: "::1", bind: "unix:///a", admin_bind: "unix:///b",
              https_redirect_bind: "tcp://a:80", log_level: "warn", access_log: "json" }
    options = HyperionRs::Configuration::OPTIONS.reject do |option|
      option.type.boolean? || %i[config rackup tls_cert tls_key].include?(option.name)
    end
    flags = options.flat_map do |option|
      [option.flag, words.fetch(option.name, option.unit == "bytes" ? "64KiB" : "80")]
    end
    configuration = configuration_of(*flags)
    expect(options.map { |option| configuration.origin(option.name) }).to eq(options.map(&:flag))
  end

  it "takes switches on and off" do
    configuration = configuration_of("--debug", "--no-request-buffering", "config.ru")
    expect([configuration.debug, configuration.request_buffering]).to eq([true, false])
  end

  it "adds up repeated addresses" do
    expect(configuration_of("-b", "tcp://a:1", "-b", "unix:///b").binds).to eq(["tcp://a:1", "unix:///b"])
  end

  it "tells the app its environment" do
    env["RAILS_ENV"] = "test"
    configuration_of("-e", "production")
    expect(env).to include("RACK_ENV" => "production", "RAILS_ENV" => "production")
  end

  it "leaves RAILS_ENV alone when it is not set" do
    configuration_of
    expect(env).to eq("RACK_ENV" => "development")
  end

  it "prints the help, with every option, its default and its unit" do
    expect(run("--help")).to eq(0)
    expect(output.string).to include(*HyperionRs::Configuration::OPTIONS.map do |option|
                                       option.flag.delete_prefix("--")
                                     end)
    expect(output.string).to match(/--header-timeout SECONDS .*\(default: 10 s\)/)
    expect(output.string.lines.map(&:chomp).map(&:size).max).to be <= 124
  end

  it "prints the version" do
    expect(run("--version")).to eq(0)
    expect(output.string).to eq("hyperion-rs #{HyperionRs::VERSION} (Ruby #{RUBY_VERSION}, Rack #{Rack.release})\n")
  end

  {
    ["--tread", "4"] => "unknown option --tread (from the command line); did you mean --threads?",
    ["-z"] => "unknown option -z (from the command line); see hyperion-rs --help",
    ["--tls"] => "--tls needs a value; see hyperion-rs --help",
    ["--tls", "prod"] => 'tls: "prod" (from --tls) is not allowed; allowed: only dev',
    ["--port", "http"] => 'port: "http" (from --port) is not allowed; allowed: a whole number from 0 to 65535',
    ["--debug=maybe"] => "needless argument: --debug=maybe",
    ["a.ru", "b.ru"] => "unexpected argument b.ru; one config.ru is served"
  }.each do |argv, message|
    it "says of #{argv.join(' ')}: #{message}" do
      expect(run(*argv)).to eq(1)
      expect(errors.string).to eq("hyperion-rs: #{message}\n")
    end
  end

  it "says that the app is missing, without a backtrace" do
    expect(run("no.ru")).to eq(1)
    expect(errors.string).to eq("hyperion-rs: no such file: #{temporary_directory}/no.ru\n")
  end

  [["--debug", "no.ru"], ["--debug", "--port", "x"]].each do |argv|
    it "adds the backtrace for #{argv.join(' ')}" do
      expect(run(*argv)).to eq(1)
      expect(errors.string).to match(%r{\Ahyperion-rs: .*\n.*lib/hyperion_rs/\S+\.rb:\d+})
    end
  end
end
