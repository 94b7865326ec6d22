# frozen_string_literal: true

require "socket"

# A mistake is answered by one line that names it and an exit status of 1, whatever starts the server.
RSpec.describe "errors at start" do
  let(:certificate) { Certificates.generate }
  let(:cert) { write_file("cert.pem", certificate.certificate) }
  let(:key) { write_file("key.pem", certificate.key) }

  # One line from hyperion-rs, as a Regexp or the exact text, and nothing of Ruby's own.
  def expect_failure(result, message)
    expect(result).to have_attributes(out: "", status: have_attributes(exitstatus: 1))
    expect(result.err.lines.size).to eq(1), result.err
    expect(result.err.chomp).to match(message.is_a?(Regexp) ? message : /\Ahyperion-rs: #{Regexp.escape(message)}\z/)
  end

  # The same options as flags and as -O pairs.
  def arguments(via, options)
    ServerProcess.command_line([], via:, options:).drop(ServerProcess.command_line([], via:).size)
  end

  %i[command rackup].each do |via|
    context "with #{via == :command ? 'hyperion-rs' : 'rackup -s hyperion_rs'}" do
      # Where the user gave the option, as the message says it.
      def origin(via, name)
        via == :command ? "--#{name.to_s.tr('_', '-')}" : "-O #{name}"
      end

      define_method(:fail_with) do |options, message, env: {}|
        expect_failure(run_server(*arguments(via, options), "-p", "0", via:, env:), message)
      end

      define_method(:from) { |name| "(from #{origin(via, name)})" }

      it "names a certificate that is missing" do
        fail_with({ tls_cert: "no.pem", tls_key: key },
                  "tls_cert: cannot read #{temporary_directory}/no.pem #{from(:tls_cert)}: No such file or directory")
      end

      it "names the key that is missing beside a certificate" do
        fail_with({ tls_cert: cert }, "tls_cert #{from(:tls_cert)} needs tls_key as well")
      end

      it "names a certificate that is none" do
        fail_with({ tls_cert: write_file("cert.pem", "nonsense\n"), tls_key: key },
                  %r{\Ahyperion-rs: .*#{temporary_directory}/cert\.pem})
      end

      it "names a key that is none" do
        fail_with({ tls_cert: cert, tls_key: write_file("key.pem", "nonsense\n") },
                  %r{\Ahyperion-rs: .*#{temporary_directory}/key\.pem})
      end

      it "names a key that belongs to another certificate" do
        other = write_file("other.pem", Certificates.generate.key)
        fail_with({ tls_cert: cert, tls_key: other }, /\Ahyperion-rs: .*cert\.pem.*other\.pem.*match/i)
      end

      it "names a port that is in use" do
        TCPServer.open("127.0.0.1", 0) do |taken|
          port = taken.addr[1]
          result = run_server("-o", "127.0.0.1", "-p", port.to_s, via:)
          expect_failure(result, /\Ahyperion-rs: .*127\.0\.0\.1:#{port}.*in use/)
        end
      end

      it "names an address that is not of this machine" do
        fail_with({ bind: "tcp://192.0.2.1:80" }, /\Ahyperion-rs: .*192\.0\.2\.1:80/)
      end

      it "names a unix socket in a directory that is missing" do
        fail_with({ bind: "unix:///no/such/dir/a.sock" }, %r{\Ahyperion-rs: .*/no/such/dir/a\.sock})
      end

      it "names a malformed value, where it came from and what is allowed" do
        fail_with({ header_timeout: "soon" },
                  "header_timeout: \"soon\" #{from(:header_timeout)} is not allowed; allowed: seconds, such as 10, " \
                  "2.5, 10s or 500ms, from 1 ms to 86400 s")
      end

      it "names a malformed environment variable" do
        fail_with({}, /\Ahyperion-rs: threads: "lots" \(from HYPERION_RS_THREADS\) is not allowed; allowed: MIN:MAX/,
                  env: { "HYPERION_RS_THREADS" => "lots" })
      end

      it "names an unknown environment variable" do
        fail_with({}, /\Ahyperion-rs: unknown option HYPERION_RS_THREAD .*did you mean HYPERION_RS_THREADS\?\z/,
                  env: { "HYPERION_RS_THREAD" => "4" })
      end

      it "names the line of a mistake in the config file" do
        write_file("config/hyperion_rs.rb", "backlog 5\nthraeds 4\n")
        fail_with({}, "unknown option thraeds (from config/hyperion_rs.rb:2); did you mean threads?")
      end

      it "names a pidfile that cannot be written" do
        fail_with({ pidfile: "/no/such/dir/a.pid" },
                  "pidfile: cannot write /no/such/dir/a.pid: No such file or directory")
      end

      it "names a directory for temporary files that is missing" do
        fail_with({ spill_dir: "/no/such/dir" }, "spill_dir: cannot make a file in /no/such/dir " \
                                                 "#{from(:spill_dir)}: No such file or directory")
      end

      it "shows the backtrace when asked to debug" do
        result = run_server(via == :command ? "--debug" : "-d", *arguments(via, { threads: "x" }), via:)
        expect(result.status.exitstatus).to eq(1)
        expect(result.err).to include("hyperion-rs: threads: \"x\"").and match(/configuration\S*\.rb:\d+:in/)
      end
    end
  end

  it "names an unknown option of rackup" do
    result = run_server("-O", "tls_crt=x", via: :rackup)
    expect_failure(result, "unknown option tls_crt (from -O tls_crt); did you mean tls_cert?")
  end

  it "names an unknown flag" do
    expect_failure(run_server("--tls-crt", "x"),
                   "unknown option --tls-crt (from the command line); did you mean --tls-cert?")
  end

  it "names a config.ru that is missing" do
    expect_failure(run_server(file: "no.ru"), "no such file: #{temporary_directory}/no.ru")
  end

  {
    "raises" => ["run App", /config\.ru:1: uninitialized constant .*App.*\(NameError\)/],
    "does not parse" => ["\nrun (\n", /config\.ru:\d+: .*syntax/],
    "requires what is missing" => ["\nrequire 'no/such'", %r{config\.ru:2: cannot load such file -- no/such}]
  }.each do |problem, (text, message)|
    it "names the line of an app that #{problem}" do
      path = write_file("config.ru", text)
      expect_failure(run_server(file: path), /\Ahyperion-rs: cannot load #{path}: #{temporary_directory}.#{message}/)
    end
  end

  it "shows the backtrace of an app that fails to load with --debug" do
    result = run_server("--debug", file: write_file("config.ru", "\nraise 'no'"))
    expect(result.status.exitstatus).to eq(1)
    expect(result.err).to match(/config\.ru:2:in .*no \(RuntimeError\)/)
  end
end
