# frozen_string_literal: true

require_relative "layer"

module HyperionRs
  class Configuration
    # The options that rackup and `rails server` hand to a handler: those of hyperion-rs (`-O threads=4:16`), and Rack's
    # and Rails' own.
    class RackOptions
      # Keys of others that stand for an option. rackup's `config` is the config.ru; the config file has its own key.
      ALIASES = {
        Host: :host, Port: :port, Threads: :threads, environment: :environment, debug: :debug, config_file: :config
      }.freeze

      # How a person gave them.
      ORIGINS = { Host: "-o (Host)", Port: "-p (Port)", environment: "-E (environment)", debug: "-d (debug)" }.freeze

      # Accepted without effect here: rackup or Rails acts on them itself, or they tune another server.
      IGNORED = {
        AccessLog: "WEBrick's access log", Logger: "WEBrick's logger", DoNotReverseLookup: "WEBrick's",
        Verbose: "Puma's", app: "rackup's", builder: "rackup's -b", caching: "Rails' -C", config: "rackup's config.ru",
        daemonize: "rackup's -D, done before the server starts", dev_caching: "Rails' -C",
        heapfile: "rackup's", include: "rackup's -I",
        log_stdout: "Rails'", log_to_stdout: "Rails'", pid: "rackup's -P", profile_file: "rackup's",
        profile_mode: "rackup's", require: "rackup's -r", restart_cmd: "Rails', for Puma's restart",
        server: "rackup's -s", using: "Rails' -u", binding: "Rails' -b, handed over as Host", warn: "rackup's -w",
        user_supplied_options: "Rails', read here to tell its defaults", SSLEnable: "WEBrick's, checked here",
        quiet: "rackup's -q, here log_level=warn", Silent: "Puma's, here log_level=warn"
      }.freeze

      RACKUP_PORT = 9292

      private_constant :ALIASES, :ORIGINS, :IGNORED, :RACKUP_PORT

      # The option names a user may give by `-O`.
      def self.names
        @names ||= OPTIONS.select(&:handler?).map(&:name) - %i[config] + %i[config_file]
      end

      # The keys that are accepted without effect, and whose they are.
      def self.ignored
        IGNORED
      end

      def initialize(options, rack_env)
        @options = options.transform_keys(&:to_sym)
        @supplied = @options[:user_supplied_options]&.map(&:to_sym)
        @rack_env = rack_env
      end

      # What the user asked for.
      def explicit
        layer(@options.reject { |key, _| IGNORED.key?(key) || default?(key) })
      end

      # What rackup or Rails fills in when the user asked for nothing.
      def defaults
        layer(@options.select { |key, _| default?(key) }).tap do |layer|
          layer.set(:log_level, "warn", "quiet") if @options[:quiet] || @options[:Silent]
        end
      end

      # Whether the options ask for TLS in WEBrick's words.
      def tls_demanded?
        @options[:SSLEnable] ? true : false
      end

      private

      def layer(options)
        Layer.new.tap do |layer|
          options.each do |key, value|
            name = ALIASES.fetch(key, key)
            origin = ORIGINS.fetch(key, "-O #{key}")
            raise Layer.unknown(key, origin, RackOptions.names) unless known?(key)

            layer.set(name, value, origin) unless value.nil?
          end
        end
      end

      def known?(key)
        ALIASES.key?(key) || RackOptions.names.include?(key)
      end

      # Rails says what the user supplied. rackup does not, but its -p gives a String and its default is an Integer; its
      # host default is told by its value.
      def default?(key)
        return false unless %i[Host Port].include?(key)
        return !@supplied.include?(key) if @supplied

        @options[key] == (key == :Port ? RACKUP_PORT : rackup_host)
      end

      def rackup_host
        (@rack_env || "development") == "development" ? "localhost" : "0.0.0.0"
      end
    end
  end
end
