# frozen_string_literal: true

require "ipaddr"
require_relative "base"

module HyperionRs
  class Configuration
    module Types
      # A host name or IP address; IPv6 with or without brackets, kept without.
      class Host < Base
        NAME = /\A[A-Za-z0-9_]([A-Za-z0-9_.-]*[A-Za-z0-9_.])?\z/
        ADDRESS = /\A[0-9A-Fa-f:.]+(%[A-Za-z0-9_.-]+)?\z/

        private_constant :NAME, :ADDRESS

        # "::1" as it stands in a URI: "[::1]".
        def self.bracket(host)
          host.include?(":") ? "[#{host}]" : host
        end

        def parse(value)
          refuse unless value.is_a?(String)
          host = value.strip.delete_prefix("[").delete_suffix("]")
          refuse unless host.include?(":") ? ipv6?(host) : NAME.match?(host)
          host
        end

        def allowed
          "a host name or an IP address (for a unix socket: bind=unix:///path)"
        end

        def placeholder
          "HOST"
        end

        private

        def ipv6?(host)
          ADDRESS.match?(host) && IPAddr.new(host[/\A[^%]+/]).ipv6?
        rescue IPAddr::Error
          false
        end
      end
    end
  end
end
