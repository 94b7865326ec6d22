# frozen_string_literal: true

require "etc"

module HyperionRs
  class Configuration
    # The defaults that depend on the machine, the user or the environment the app runs in.
    class Defaults
      # The runtime's threads do TLS and framing only. Half of the CPUs are left to the app's threads; and a single
      # one, which hands no task to another, serves a connection at several times the rate of two that share a CPU.
      MAX_IO_THREADS = 4

      private_constant :MAX_IO_THREADS

      def initialize(env, environment)
        @env = env
        @environment = environment
      end

      # As rackup and Rails do: reachable from outside only where that is meant.
      def host
        @environment == "development" ? "localhost" : "0.0.0.0"
      end

      def io_threads
        (Etc.nprocessors / 2).clamp(1, MAX_IO_THREADS)
      end

      def spill_dir
        present("TMPDIR") || Etc.systmpdir
      end

      # The XDG base directory for data, so that a browser's exception for the certificate outlives a reboot.
      def tls_dev_dir
        File.join(present("XDG_DATA_HOME") || File.join(home, ".local/share"), "hyperion-rs")
      end

      private

      def home
        present("HOME") || Etc.getpwuid&.dir || Etc.systmpdir
      end

      def present(name)
        value = @env[name]
        value unless value.nil? || value.strip.empty?
      end
    end
  end
end
