# frozen_string_literal: true

require_relative "errors"
require_relative "version"
require_relative "configuration/config_file"
require_relative "configuration/defaults"
require_relative "configuration/environment"
require_relative "configuration/handler_environment"
require_relative "configuration/layer"
require_relative "configuration/options"
require_relative "configuration/rack_options"

module HyperionRs
  # The options in force, each with where it came from. This is the only reader of the process environment. From
  # strong to weak: explicit options, HYPERION_RS_*, the config file, PORT and RAILS_MAX_THREADS, what rackup or Rails
  # fills in, the defaults.
  class Configuration
    # The configuration for a handler's options as rackup or Rails passes them.
    def self.from_rack(options, env: ENV)
      rack = RackOptions.new(options, env["RACK_ENV"])
      new(rack.explicit, weakest: rack.defaults, env:).tap do |configuration|
        if rack.tls_demanded? && !configuration.tls?
          raise ConfigurationError, "SSLEnable asks for TLS, but there is no certificate: give tls_cert and tls_key, " \
                                    "or tls=dev"
        end
      end
    end

    # `options` is a Hash of option names or a Layer.
    def initialize(options = {}, weakest: Layer.new, env: ENV)
      explicit = options.is_a?(Layer) ? options : Layer.new.merge(options) { |name| "option #{name}" }
      environment = Environment.new(env)
      own = environment.own
      @layers = [explicit, own, config_file(explicit, own), environment.conventional, weakest]
      @settings = resolve(env)
      check_tls
      check_redirect
      check_access_log
      freeze
    end

    OPTIONS.each do |option|
      define_method(option.name) { @settings.fetch(option.name).value }
    end

    # The value of an option by its name.
    def [](name)
      setting(name).value
    end

    # Where the value came from, in words.
    def origin(name)
      setting(name).origin
    end

    # A Notice for each value that was accepted but changed.
    def notices
      @settings.each_value.flat_map(&:notices)
    end

    def tls?
      !tls.nil? || !tls_cert.nil?
    end

    # The version of the loaded Rack, as [major, minor].
    def rack_version
      require "rack/version"
      Rack.release.split(".").first(2).map(&:to_i)
    end

    # The URIs to listen on. An address from a stronger source than `bind` replaces it, one from the same source is
    # added to it, as with Puma.
    def binds
      address = "tcp://#{Types::Host.bracket(host)}:#{port}"
      return [address] unless bind

      case strength(:host, :port) <=> strength(:bind)
      when -1 then [address]
      when 0 then bind | [address]
      else bind
      end
    end

    # What the Rust side is started with.
    def native_settings
      OPTIONS.select(&:native?).to_h { |option| [option.name, self[option.name]] }.merge(
        bind: binds,
        tls_dev: tls ? true : nil,
        threads_min: threads.min,
        threads_max: threads.max,
        server_software: "hyperion-rs/#{VERSION}",
        rack_version:
      )
    end

    private

    def setting(name)
      @settings.fetch(name) { raise KeyError, "no option #{name}" }
    end

    def config_file(explicit, own)
      named = explicit[:config] || own[:config]
      return ConfigFile.load(named.value) if named

      File.file?(ConfigFile::DEFAULT) ? ConfigFile.load(ConfigFile::DEFAULT) : Layer.new
    end

    def resolve(env)
      environment = given(:environment) || OPTIONS[:environment].default_setting(nil)
      defaults = Defaults.new(env, environment.value)
      OPTIONS.to_h { |option| [option.name, given(option.name) || option.default_setting(defaults)] }
    end

    def given(name)
      @layers.each do |layer|
        setting = layer[name]
        return setting if setting
      end
      nil
    end

    # The rank of the strongest source that gives one of these options: 0 is the strongest.
    def strength(*names)
      @layers.index { |layer| names.any? { |name| layer[name] } } || @layers.size
    end

    def check_tls
      choose_certificate if tls && (tls_cert || tls_key)
      check_pair(:tls_cert, :tls_key)
      check_pair(:tls_key, :tls_cert)
    end

    def check_redirect
      return if tls? || !https_redirect_bind

      raise ConfigurationError, "https_redirect_bind (from #{origin(:https_redirect_bind)}) needs TLS: " \
                                "tls_cert and tls_key, or tls"
    end

    def check_access_log
      return unless access_log == "off" && given(:access_log_path)

      raise ConfigurationError, "access_log_path (from #{origin(:access_log_path)}) needs access_log as well: " \
                                "json or common"
    end

    # The stronger source decides between the development certificate and a given one.
    def choose_certificate
      case strength(:tls) <=> strength(:tls_cert, :tls_key)
      when -1 then unset(:tls_cert, :tls_key)
      when 1 then unset(:tls)
      else
        file = tls_cert ? :tls_cert : :tls_key
        raise ConfigurationError, "tls (from #{origin(:tls)}) and #{file} (from #{origin(file)}) exclude each other"
      end
    end

    def unset(*names)
      names.each { |name| @settings[name] = Setting.new(nil, "default", []) }
    end

    def check_pair(name, partner)
      return unless self[name]

      raise ConfigurationError, "#{name} (from #{origin(name)}) needs #{partner} as well" unless self[partner]

      File.open(self[name]) { |file| raise Errno::EISDIR if file.stat.directory? }
    rescue SystemCallError => e
      raise ConfigurationError, "#{name}: cannot read #{self[name]} (from #{origin(name)}): #{e.class.new.message}"
    end
  end
end
