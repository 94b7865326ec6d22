# frozen_string_literal: true

require "logger"
require "tempfile"
require "uri"
require_relative "configuration"
require_relative "hooks"
require_relative "metrics"
require_relative "native"
require_relative "pidfile"
require_relative "sendfile"
require_relative "signals"

module HyperionRs
  # Serves one Rack app.
  #
  #     server = HyperionRs::Server.new(app, port: 0, tls: "dev")
  #     server.bind
  #     server.run # until #shutdown, INT or TERM
  class Server
    attr_reader :app, :configuration, :logger

    # `configuration` is a Configuration or a Hash of option names, `metrics` a Metrics that others may share.
    def initialize(app, configuration = {}, logger: nil, metrics: nil, output: $stdout)
      @app = app
      @configuration = configuration.is_a?(Configuration) ? configuration : Configuration.new(configuration)
      @logger = logger || default_logger
      @metrics = metrics
      @output = output
      @stopped = false
      @restarting = false
    end

    # Listens, loading the native library first. Answers the URLs; does nothing when already bound.
    def bind
      return urls if @native

      @configuration.notices.each { |notice| @logger.warn(notice.to_s) }
      check_spill_dir
      Native.load!
      native = Native::Server.new(served_app, @configuration.native_settings, @logger, metrics.native)
      @urls = native.bind.freeze
      @admin_urls = native.admin_urls.freeze
      @redirect_urls = native.redirect_urls.freeze
      release_inherited
      @native = native
      urls
    end

    # Serves until it is shut down and drained. INT and TERM do that, when this is the main thread; a second one drops
    # the connections and ends the process. USR1 reopens the access log then.
    def run(signals: Thread.current == Thread.main)
      bind
      return if @stopped

      Pidfile.hold(@configuration.pidfile) do
        signals ? Signals.handle(self) { serve } : serve
      end
      nil
    end

    # Begins the drain and returns at once: no new connections, requests in flight finish within shutdown_timeout. Safe
    # in a trap handler and from any thread.
    def shutdown
      @restarting = false
      @native&.shutdown
      drain
    end
    alias stop shutdown

    # As #shutdown, but keeps the listening sockets open beyond the end of #run: clients queue there for who gets the
    # #listeners. A #shutdown that follows wins.
    def restart
      @restarting = true
      @native&.hand_over
      drain
    end

    # Whether #restart is why the server ends.
    def restarting?
      @restarting
    end

    # The descriptors of the sockets that #restart has kept.
    def listeners
      @native.listeners
    end

    # Opens the access log anew, after its file was renamed. Safe in a trap handler and from any thread.
    def reopen_logs
      @native&.reopen_logs
      nil
    end

    # The URLs of the bound addresses; empty before #bind.
    def urls
      @urls || []
    end

    # The URLs of admin_bind; empty before #bind.
    def admin_urls
      @admin_urls || []
    end

    # The URLs of https_redirect_bind; empty before #bind.
    def redirect_urls
      @redirect_urls || []
    end

    # The URL to show: a host given by name keeps its name. Nil before #bind.
    def url
      named_url || urls.first
    end

    # The first TCP port that is listened on, or nil.
    def port
      ports.first
    end

    # Counters of the running server, by name.
    def stats
      @native ? @native.stats : {}
    end

    # What the server counts; loads the native library.
    def metrics
      @metrics ||= Metrics.new
    end

    private

    def served_app
      directory = @configuration.x_sendfile
      directory ? Sendfile.new(@app, directory, @logger) : @app
    rescue SystemCallError => e
      raise ConfigurationError, "x_sendfile: #{directory} (from #{@configuration.origin(:x_sendfile)}): " \
                                "#{e.class.new.message}"
    end

    # Found out here, and not at the first large upload.
    def check_spill_dir
      directory = @configuration.spill_dir
      Tempfile.create("hyperion-rs", directory) { nil } if @configuration.spill_limit.positive?
    rescue SystemCallError => e
      raise ConfigurationError, "spill_dir: cannot make a file in #{directory} " \
                                "(from #{@configuration.origin(:spill_dir)}): #{e.class.new.message}"
    end

    def drain
      first = !@stopped
      @stopped = true
      # A trap handler may take no lock, and hooks may.
      Thread.new { Hooks.call(Hooks.drain, self) } if first && @native && Hooks.drain.any?
      nil
    end

    # The Rust side has duplicates. Children of this process must neither get the descriptors nor hear of them.
    def release_inherited
      descriptors = @configuration.listen_fds || return
      descriptors.each { |descriptor| IO.for_fd(descriptor).close }
      ENV.delete(Configuration::OPTIONS[:listen_fds].env_name)
    end

    def serve
      # Rails may be here only since the app was loaded.
      require_relative "railtie" if defined?(::Rails::Railtie)
      # What the app logs there is to be read at once, also from a pipe.
      @output.sync = true
      announce
      Hooks.call(Hooks.serve, self)
      @native.run
    end

    def announce
      return if quiet?

      listening = "#{(named_url ? [named_url] : urls).join(', ')} (#{protocols})"
      listening += ", redirecting #{redirect_urls.join(', ')}" if redirect_urls.any?
      threads = Configuration::OPTIONS[:threads].type.format(@configuration.threads)
      @output.puts "hyperion-rs #{VERSION} listening on #{listening} — " \
                   "Ruby #{RUBY_VERSION}, Rack #{@configuration.rack_version.join('.')}, threads #{threads}"
      announce_admin if admin_urls.any?
    end

    def announce_admin
      @output.puts "hyperion-rs #{VERSION} answers /metrics, /healthz and /readyz on #{admin_urls.join(', ')}"
    end

    # A logger need not tell its level, and some tell a Symbol.
    def quiet?
      level = @logger.level if @logger.respond_to?(:level)
      level.is_a?(Integer) && level > Logger::INFO
    end

    def protocols
      @configuration.tls? ? "h2, http/1.1" : "h2c, http/1.1"
    end

    def ports
      urls.filter_map { |url| URI(url).port unless url.start_with?("unix:") }.uniq
    end

    # A name such as localhost binds an address of each family: one URL stands for them.
    def named_url
      return unless @configuration.binds.one? && ports.one?

      host = @configuration.binds.first[%r{\Atcp://([^\[\]]+):\d+\z}, 1]
      "#{URI(urls.first).scheme}://#{host}:#{port}" if host
    end

    def default_logger
      Logger.new($stderr, level: @configuration.debug ? "debug" : @configuration.log_level, progname: "hyperion-rs")
    end
  end
end
