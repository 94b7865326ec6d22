# frozen_string_literal: true

require "uri"
require_relative "latch"

# Stands for the Rust side in unit specs: binds what it is told, with port 41234 for 0, and runs until it is shut down.
class FakeNative
  PORT = 41_234

  attr_reader :app, :settings, :logger, :metrics, :running, :reopened

  # Takes its place for the example; answers the instances made.
  def self.install(example)
    instances = []
    example.allow(HyperionRs::Native).to example.receive(:load!)
    example.stub_const("HyperionRs::Native::Server", Class.new(self) do
      define_method(:initialize) do |*arguments|
        super(*arguments)
        instances << self
      end
    end)
    example.stub_const("HyperionRs::Native::Metrics", Class.new)
    instances
  end

  def initialize(app, settings, logger, metrics)
    @app = app
    @settings = settings
    @logger = logger
    @metrics = metrics
    @running = Latch.new
    @shutdown = Latch.new
    @runs = 0
    @reopened = 0
  end

  def bind
    scheme = @settings[:tls_dev] || @settings[:tls_cert] ? "https" : "http"
    @settings[:bind].flat_map do |uri|
      next uri if uri.start_with?("unix:")

      port = URI(uri).port.zero? ? PORT : URI(uri).port
      addresses(URI(uri).host).map { |address| "#{scheme}://#{address}:#{port}" }
    end
  end

  def admin_urls
    @settings[:admin_bind].to_a.map { |uri| uri.sub("tcp", "http") }
  end

  def redirect_urls
    @settings[:https_redirect_bind].to_a.map { |uri| uri.sub("tcp", "http") }
  end

  def run
    @runs += 1
    @running.open
    @shutdown.wait
    nil
  end

  # A trap handler may call it, where no lock can be taken.
  def shutdown
    Thread.new { @shutdown.open }
    nil
  end

  alias hand_over shutdown

  def listeners
    [41, 42]
  end

  def reopen_logs
    @reopened += 1
  end

  def stats
    { runs: @runs }
  end

  private

  def addresses(host)
    host == "localhost" ? ["[::1]", "127.0.0.1"] : [host]
  end
end
