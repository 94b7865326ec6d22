# frozen_string_literal: true

require_relative "configuration"
require_relative "h2_admission"
require_relative "http2_handler/codec"
require_relative "http2_handler/preferences"
require_relative "http2_handler/settings"
require_relative "http2_handler/sockets"
require_relative "native"
require_relative "runtime"

module HyperionRs
  # Serves connections that the program around it has accepted, one call of #serve a connection. It takes the place of
  # Hyperion::Http2Handler.
  #
  #     handler = HyperionRs::Http2Handler.new(app: app)
  #     server = TCPServer.new(8080)
  #     loop { Thread.new(server.accept) { |socket| handler.serve(socket) } }
  #
  # All handlers of a process share the reactor and the threads that call applications.
  class Http2Handler
    # Bytes of a connection's responses in memory, at most; `max_pending_bytes` sets another limit.
    MAX_PER_CONN_PENDING_BYTES = 16 * 1024 * 1024
    # The identifiers of RFC 9113, section 6.5.2.
    SETTINGS_KEY_MAP = {
      max_concurrent_streams: 0x3, initial_window_size: 0x4, max_frame_size: 0x5, max_header_list_size: 0x6
    }.freeze
    H2_MIN_FRAME_SIZE = 0x4000
    H2_MAX_FRAME_SIZE = 0xFFFFFF
    H2_MAX_WINDOW_SIZE = 0x7FFFFFFF
    # Threads that call applications, when nothing says otherwise, and at most.
    DISPATCH_POOL_DEFAULT = 4
    DISPATCH_POOL_MAX = 16

    # app::          the Rack app
    # thread_pool::  accepted, and not used: the app is called in threads of the process's own pool
    # h2_settings::  a Hash with keys of SETTINGS_KEY_MAP
    # runtime::      what answers `metrics` and `logger`; Runtime.default when nil
    # h2_admission:: what answers `admit`, `release` and `stats`, such as an H2Admission; no cap when nil
    # tls::          "dev", or { cert: path, key: path }: the handler takes the handshake of the sockets it is given
    # rubocop:disable Metrics/ParameterLists -- the keywords of the handler that this one replaces
    def initialize(app:, thread_pool: nil, h2_settings: nil, runtime: nil, h2_admission: nil, tls: nil)
      @app = app
      @runtime = runtime || Runtime.default
      @logger = @runtime.logger
      @metrics = @runtime.metrics
      @settings = Settings.new(h2_settings, @logger)
      @preferences = Preferences.new(tls, @logger)
      @codec = Codec.new(@preferences.hpack, @runtime)
      warn_of(thread_pool)
      Native.load!
      @native = build_native(h2_admission)
      @codec.announce
    end
    # rubocop:enable Metrics/ParameterLists

    # Whether headers are coded natively: they always are.
    def codec_available?
      true
    end

    # Whether HYPERION_H2_NATIVE_HPACK leaves native coding on. Off is reported, and changes nothing.
    def codec_native?
      @codec.native?
    end

    # Serves one connection, and closes the socket when it is over, whatever ends it. Takes a TCPSocket, a UNIXSocket,
    # any IO that has a socket's descriptor, or an OpenSSL::SSL::SSLSocket whose handshake is done. Under a Fiber
    # scheduler it parks the fiber, else it waits without holding the thread's lock. Raises for a socket that is closed
    # (IOError) or cannot be served (ArgumentError), which it leaves alone then.
    def serve(socket)
      Sockets.transport(socket, @logger).serve(@native)
      nil
    end

    # Takes no new requests on any connection; each ends when its requests in flight are finished, and every later one
    # at once. Returns at once.
    def shutdown
      @native.shutdown
      nil
    end

    private

    # The next two are called by nothing here: they are what subclasses and specs of the handler that this one replaces
    # look at.

    # The SETTINGS that were asked for, as pairs of identifier and value.
    def initial_settings_payload
      @settings.to_h.map { |name, value| [SETTINGS_KEY_MAP.fetch(name), value] }
    end

    # Threads that call applications, as HYPERION_H2_DISPATCH_POOL says now.
    def resolve_dispatch_pool_size
      Configuration::HandlerEnvironment.new(@logger).dispatch_pool || DISPATCH_POOL_DEFAULT
    end

    def build_native(h2_admission)
      admission = h2_admission.is_a?(H2Admission) && h2_admission.plain? ? h2_admission.native : h2_admission
      metrics = @metrics.is_a?(Metrics) ? @metrics.native : @metrics
      Native::Handler.new(@app, @preferences.native_settings(@settings.to_h), @logger, metrics, admission)
    end

    def warn_of(thread_pool)
      return unless thread_pool

      @logger.warn { { message: "h2 thread_pool is not used; apps are called in the pool of the process" } }
    end
  end
end
