# frozen_string_literal: true

require_relative "layer"

module HyperionRs
  class Configuration
    # A config file in Ruby: every option is a method, and the names that Puma's users know work as they expect.
    #
    #     threads 4, 16
    #     port ENV.fetch("PORT", 9292)
    #     bind "unix:///run/app.sock"
    #     tls cert: "cert.pem", key: "key.pem"
    class ConfigFile
      # The path, relative to the working directory, that is read unless another one is named.
      DEFAULT = "config/hyperion_rs.rb"

      # The layer that the file at `path` makes.
      def self.load(path)
        Layer.new.tap { |layer| new(layer).instance_eval(File.read(path, encoding: "UTF-8"), path, 1) }
      rescue SystemCallError => e
        raise ConfigurationError, "config: cannot read #{path}: #{e.class.new.message}"
      rescue ConfigurationError
        raise
      rescue StandardError, ScriptError => e
        raise ConfigurationError, "config: #{describe(e, path)}"
      end

      # "file:line: what was wrong (Class)", in one line; a SyntaxError says its place itself.
      def self.describe(error, path)
        summary = error.message.lines.first.to_s.strip
        return summary if error.is_a?(SyntaxError)

        place = error.backtrace&.find { |line| line.start_with?("#{path}:") }
        "#{place ? place[/\A.+?:\d+/] : path}: #{summary} (#{error.class})"
      end

      private_class_method :new, :describe

      def initialize(layer)
        @layer = layer
      end

      OPTIONS.each do |option|
        next if %i[config threads port tls].include?(option.name)

        define_method(option.name) do |*values|
          values = [true] if values.empty? && option.type.boolean?
          raise ArgumentError, "#{option.name} takes one value" unless values.size == 1

          set(option.name, values.first)
        end
      end

      # `threads 4, 16` as well as `threads "4:16"` and `threads 8`.
      def threads(*bounds)
        set(:threads, bounds.size == 1 ? bounds.first : bounds)
      end

      # `port 9292, "0.0.0.0"` names the host too.
      def port(port, host = nil)
        set(:port, port)
        set(:host, host) if host
      end

      # `tls :dev`, or `tls cert: "cert.pem", key: "key.pem"`.
      def tls(mode = nil, cert: nil, key: nil)
        raise ArgumentError, "tls takes :dev, or cert: and key:" unless mode || (cert && key)

        set(:tls, mode) if mode
        set(:tls_cert, cert) if cert
        set(:tls_key, key) if key
      end

      # Puma's number of processes: there is one.
      def workers(count)
        processes_unknown("workers #{count}") unless Integer(count).zero?
      end

      # `plugin :tmp_restart`, which Rails writes into config/puma.rb, is the option of that name.
      def plugin(name)
        raise ArgumentError, "there is no plugin #{name}, only tmp_restart" unless name.to_sym == :tmp_restart

        set(:tmp_restart, true)
      end

      private

      # What Puma's users say of its processes.
      OF_PROCESSES = %i[preload_app! prune_bundler fork_worker nakayoshi_fork before_fork on_refork
                        worker_timeout worker_boot_timeout worker_shutdown_timeout on_worker_boot before_worker_boot
                        on_worker_shutdown before_worker_shutdown on_worker_fork after_worker_fork
                        silence_single_worker_warning].freeze
      private_constant :OF_PROCESSES

      def processes_unknown(line)
        raise ConfigurationError, "config: #{place}: #{line}: there is one process so far; take the line out, and " \
                                  "give it more threads, or start several and a proxy before them"
      end

      def set(name, value)
        @layer.set(name, value, place)
      end

      def method_missing(name, *)
        processes_unknown(name) if OF_PROCESSES.include?(name)
        raise Layer.unknown(name, place, OPTIONS.names - [:config])
      end

      def respond_to_missing?(*)
        false
      end

      # The line of the config file, or of a file that it loads, that is being run.
      def place
        location = caller_locations.find { |caller| caller.path != __FILE__ && !caller.path.start_with?("<internal:") }
        "#{location.path}:#{location.lineno}"
      end
    end
  end
end
