# frozen_string_literal: true

require_relative "host"
require_relative "list"
require_relative "number"

module HyperionRs
  class Configuration
    module Types
      # Addresses to listen on: "tcp://host:port" and "unix:///path". The typed values are URIs; a relative unix path
      # ("unix://tmp/app.sock") is made absolute.
      class BindList < List
        TCP = %r{\Atcp://(\[[^\]]+\]|[^:/\[\]]+):(\d+)/?\z}
        UNIX = %r{\Aunix://([^?#]+)\z}
        PORTS = Number.new(0..65_535)
        HOST = Host.new

        TLS = " (TLS is by tls_cert and tls_key, or tls)"

        private_constant :TCP, :UNIX, :PORTS, :HOST, :TLS

        # With `tls: false` for addresses that have none.
        def initialize(tls: true)
          super()
          @hint = tls ? TLS : ""
        end

        def parse(value)
          parse_each(value) { |uri| uri.is_a?(String) ? normalize(uri) : refuse }
        end

        def allowed
          "tcp://HOST:PORT or unix:///PATH, several with commas#{@hint}"
        end

        def placeholder
          "URI"
        end

        private

        def normalize(uri)
          if (tcp = TCP.match(uri))
            "tcp://#{Host.bracket(HOST.parse(tcp[1]))}:#{PORTS.parse(tcp[2])}"
          elsif (unix = UNIX.match(uri))
            "unix://#{File.expand_path(unix[1])}"
          else
            refuse
          end
        end
      end
    end
  end
end
