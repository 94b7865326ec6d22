# frozen_string_literal: true

require "rbconfig"
require "shellwords"
require_relative "../failure"
require_relative "../native_programs"

module Bench
  # What can be measured: each answers `name`, `missing` (why it cannot run here, or nil), `prepare`, whether it
  # `serves?` an app (by its name), the `path` of the app, and the `command` that serves it.
  module Contestants
    def self.gem?(name)
      Gem::Specification.find_all_by_name(name).any?
    end

    # The defaults of a server that runs the apps of bench/apps by their rackup files.
    module RackServer
      def missing = nil

      def prepare = nil

      def reference? = false

      def serves?(app) = File.exist?(rackup(app)) && (app != "rails" || Contestants.gem?("railties"))

      def path(_app) = "/"

      def rackup(app) = File.join(ROOT, "bench/apps/#{app}.ru")
    end

    # The gem, from this checkout.
    class HyperionRs
      include RackServer

      def name = "hyperion-rs"

      def prepare
        NativePrograms.build(RbConfig.ruby, "-S", "rake", "compile")
      end

      def command(app, port, certificate, *options)
        [RbConfig.ruby, File.join(ROOT, "exe/hyperion-rs"), "-o", "127.0.0.1", "-p", port.to_s,
         "--tls-cert", certificate.cert, "--tls-key", certificate.key, "--environment", "production",
         "--log-level", "warn", *options, rackup(app)]
      end
    end

    # The same core without Ruby: the ceiling.
    class Echo
      PATHS = { "hello" => "/", "headers" => "/headers", "post" => "/", "body" => "/bytes/100000",
                "sleep" => "/sleep" }.freeze

      def name = "echo.rs"

      def missing
        "cargo is not installed" unless Bench.installed?("cargo")
      end

      def prepare = NativePrograms.build_example("echo")

      def reference? = false

      def serves?(app) = PATHS.key?(app)

      def path(app) = PATHS.fetch(app)

      def command(_app, port, _certificate)
        [NativePrograms.path("echo"), "--port", port.to_s, "--tls", "dev"]
      end
    end

    # Puma with TLS: HTTP/1.1, as many threads as the gem.
    class Puma
      include RackServer

      def name = "puma"

      def missing
        "it is not installed" unless Contestants.gem?("puma")
      end

      def command(app, port, certificate)
        puma(app, "ssl://127.0.0.1:#{port}?cert=#{certificate.cert}&key=#{certificate.key}")
      end

      private

      def puma(app, address)
        [RbConfig.ruby, "-S", "puma", "-C", "-", "-e", "production", "-t", "4:16", "-b", address, rackup(app)]
      end
    end

    # A fiber server of Ruby with HTTP/2.
    class AsyncHTTP
      include RackServer

      def name = "async-http"

      def missing
        "it is not installed" unless Contestants.gem?("async-http")
      end

      def command(app, port, certificate)
        [RbConfig.ruby, File.join(ROOT, "bench/servers/async_http.rb"), port.to_s, certificate.cert, certificate.key,
         rackup(app)]
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
  end
end
