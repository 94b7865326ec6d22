# frozen_string_literal: true

require_relative "pump"
require_relative "transport"

module HyperionRs
  class Http2Handler
    # What a handler may be given to serve.
    module Sockets
      class << self
        # The Transport for a socket. Raises for one that cannot be served.
        def transport(socket, logger)
          raise IOError, "closed stream" if closed?(socket)

          inner = innermost(socket)
          return Pump.new(inner, logger, outer: socket) if inner_tls?(inner) || stream?(inner)
          raise ArgumentError, "neither a socket nor like one: #{socket.inspect}" unless inner.is_a?(IO)

          Transport.new(inner, logger, outer: socket)
        end

        def closed?(socket)
          socket.respond_to?(:closed?) && socket.closed?
        end

        # Whether it is a TLS socket of the openssl library, which need not be loaded.
        def tls?(socket)
          defined?(OpenSSL::SSL::SSLSocket) ? socket.is_a?(OpenSSL::SSL::SSLSocket) : false
        end

        # What such sockets raise.
        def tls_errors
          defined?(OpenSSL::SSL::SSLError) ? [OpenSSL::SSL::SSLError] : []
        end

        private

        # Libraries wrap sockets: what they wrap is served, and TLS as TLS.
        def innermost(socket)
          return socket if socket.is_a?(IO) || tls?(socket) || !socket.respond_to?(:to_io)

          inner = socket.to_io
          inner.equal?(socket) ? socket : innermost(inner)
        end

        def inner_tls?(socket)
          return false unless tls?(socket)
          raise ArgumentError, "the TLS handshake is not done: #{socket.inspect}" unless socket.cipher

          true
        end

        # An object without a descriptor that is read and written like a socket.
        def stream?(socket)
          !socket.is_a?(IO) && socket.respond_to?(:readpartial) && socket.respond_to?(:write)
        end
      end
    end
  end
end
