# frozen_string_literal: true

require "open3"
require "rbconfig"
require "shellwords"
require_relative "../../rakelib/native_build"
require_relative "failure"

module Bench
  # What can be measured: each answers `name`, `missing` (why it cannot run here, or nil), `prepare`, the `path` of an
  # app, and the `command` that serves it.
  module Contestants
    # Runs what a build needs, quietly unless it fails.
    def self.build(*command)
      output, status = Open3.capture2e(*command, chdir: ROOT)
      raise Failure, "#{command.grep(String).join(' ')} failed:\n#{output}" unless status.success?
    end

    # The defaults of a server that runs the apps of bench/apps by their rackup files.
    module RackServer
      def missing = nil

      def prepare = nil

      def path(_app) = "/"

      def rackup(app) = File.join(ROOT, "bench/apps/#{app}.ru")
    end

    # The gem, from this checkout.
    class HyperionRs
      include RackServer

      def name = "hyperion-rs"

      def prepare
        Contestants.build(RbConfig.ruby, "-S", "rake", "compile")
      end

      def command(app, port, certificate, *options)
        [RbConfig.ruby, File.join(ROOT, "exe/hyperion-rs"), "-o", "127.0.0.1", "-p", port.to_s,
         "--tls-cert", certificate.cert, "--tls-key", certificate.key, "--environment", "production",
         "--log-level", "warn", *options, rackup(app)]
      end
    end

    # The same core without Ruby: the ceiling.
    class Echo
      PATHS = { "hello" => "/", "headers" => "/headers" }.freeze

      def name = "echo.rs"

      def missing
        "cargo is not installed" unless Bench.installed?("cargo")
      end

      # In the environment and the directory of the gem's build, which share the dependencies.
      def prepare
        Contestants.build(Toolchain.new.build_env, "cargo", "build", "--quiet", "--release", "--locked",
                          "-p", "hyperion_core", "--example", "echo", "--target-dir", NativeBuild.target_dir)
      end

      def path(app) = PATHS.fetch(app)

      def command(_app, port, _certificate)
        [File.join(NativeBuild.target_dir, "release/examples/echo"), "--port", port.to_s, "--tls", "dev"]
      end
    end

    # Puma with TLS: HTTP/1.1, as many threads as the gem.
    class Puma
      include RackServer

      def name = "puma"

      def missing
        "it is not installed" if Gem::Specification.find_all_by_name("puma").empty?
      end

      def command(app, port, certificate)
        [RbConfig.ruby, "-S", "puma", "-C", "-", "-e", "production", "-t", "4:16",
         "-b", "ssl://127.0.0.1:#{port}?cert=#{certificate.cert}&key=#{certificate.key}", rackup(app)]
      end
    end

    # Any other server, by a command line with the placeholders {port}, {cert}, {key} and {app}.
    class Peer
      include RackServer

      attr_reader :name

      # `text` is NAME=COMMAND.
      def initialize(text)
        @name, @line = text.split("=", 2)
        return unless @name.empty? || @line.to_s.strip.empty? || !@line.include?("{port}")

        raise Failure, "--peer #{text.inspect}: give NAME=COMMAND, with {port} in the command"
      end

      def command(app, port, certificate)
        values = { "port" => port.to_s, "cert" => certificate.cert, "key" => certificate.key, "app" => rackup(app) }
        # No shell stays between us and the server, so that its CPU time is found.
        ["exec #{@line.gsub(/\{(port|cert|key|app)\}/) { values.fetch(Regexp.last_match(1)).shellescape }}"]
      end
    end

    OWN = [HyperionRs, Echo, Puma].freeze

    # Those that are measured when nothing is said.
    def self.all
      OWN.map(&:new)
    end
  end
end
