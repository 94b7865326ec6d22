# frozen_string_literal: true

require_relative "table"

module HyperionRs
  # The rows of the option table. Sizes and times stand as a user would write them.
  class Configuration
    time = Types::Duration.new(0.001..86_400.0)
    gib = 1 << 30
    tib = 1 << 40

    # rubocop:disable Metrics/BlockLength -- a table, one row an option
    OPTIONS = Table.new do |t|
      t.group "Listening"
      t.option :host, Types::Host.new, "address to listen on",
               short: "o", default: :host, default_text: "localhost in development, else 0.0.0.0"
      t.option :port, Types::Number.new(0..65_535, placeholder: "PORT"), "TCP port; 0 takes a free one",
               short: "p", default: 9292
      t.option :bind, Types::BindList.new, "addresses to listen on, instead of host and port", short: "b"
      t.option :admin_bind, Types::BindList.new(tls: false),
               "addresses of /metrics, /healthz and /readyz, for scrapers and balancers; without TLS", native: true
      t.option :backlog, Types::Number.new(1..65_535), "connections that may wait to be accepted",
               default: 1024, unit: "connections", native: true
      t.option :listen_fds, Types::Descriptors.new,
               "listening sockets that are open already, for the addresses that they have", native: true

      t.group "TLS (cleartext without these)"
      t.option :tls, Types::Choice.new("dev"), "use a self-signed localhost certificate, made once and kept"
      t.option :tls_cert, Types::Path.new, "certificate chain, PEM", native: true
      t.option :tls_key, Types::Path.new, "private key, PEM (PKCS#8, PKCS#1 or SEC1)", native: true
      t.option :tls_dev_dir, Types::Path.new(placeholder: "DIR"), "where the development certificate is kept",
               default: :tls_dev_dir, default_text: "~/.local/share/hyperion-rs", native: true
      t.option :redirect_http, Types::Boolean.new,
               "on a port with TLS, answer HTTP in the clear by its https URL (308), not by 400",
               default: "off", native: true
      t.option :https_redirect_bind, Types::BindList.new,
               "further addresses, where each request is answered by its https URL (308)", native: true

      t.group "Threads"
      t.option :threads, Types::Threads.new, "Ruby threads that call the app; more than MIN only while requests wait",
               short: "t", default: "4:16"
      t.option :io_threads, Types::Number.new(1..256), "Rust threads for TLS and framing",
               default: :io_threads, default_text: "half of the CPUs, 1 to 4", unit: "threads", native: true

      t.group "Timeouts"
      t.option :tls_handshake_timeout, time, "time for a TLS handshake", default: 10, native: true
      t.option :header_timeout, time, "time for a request's head to arrive (then 408)", default: 10, native: true
      t.option :body_timeout, time,
               "longest pause in a request body (then 408 or RST_STREAM); in gRPC if threads run out",
               default: 30, native: true
      t.option :write_timeout, time, "longest time a peer may take nothing of its response (then it is cut off)",
               default: 30, native: true
      t.option :keepalive_timeout, time, "time a connection may stay idle", default: 60, native: true
      t.option :shutdown_timeout, Types::Duration.new(0.0..86_400.0),
               "time for requests in flight at shutdown (then connections are dropped)", default: 30, native: true
      t.option :ping_interval, Types::Duration.new(0.001..86_400.0, optional: true),
               "time without a sign of an HTTP/2 peer until it is sent a PING; finds vanished ones",
               default: "off", native: true
      t.option :ping_timeout, time, "time for the answer to a PING", default: 20, native: true

      t.group "Limits"
      t.option :max_connections, Types::Number.new(1..1_000_000), "open connections; at the limit, accepting pauses",
               default: 10_000, unit: "connections", native: true
      t.option :max_in_flight, Types::Number.new(1..1_000_000),
               "requests at once in the process; more get REFUSED_STREAM or 503",
               default: 8192, unit: "requests", native: true
      t.option :max_body_size, Types::Bytes.new(0..tib), "largest request body; a larger one gets 413",
               default: "1GiB", native: true

      t.group "Buffers"
      t.option :request_buffering, Types::Boolean.new, "call the app only when a request's body has arrived",
               default: "on", native: true
      t.option :request_buffer, Types::Bytes.new(0..gib),
               "memory for a request's body; the rest goes to a temporary file",
               default: "1MiB", native: true
      t.option :response_buffer, Types::Bytes.new((16 << 10)..gib),
               "memory for a response that waits for its reader; the rest spills to a temporary file",
               default: "256KiB", native: true
      t.option :response_spill, Types::Bytes.new(0..tib),
               "temporary file for a response; when full, the app's thread waits",
               default: "64MiB", native: true
      t.option :max_pending_bytes, Types::Bytes.new((1 << 16)..(4 * gib)),
               "memory for a connection's unsent bytes; the rest spills", default: "16MiB", native: true
      t.option :spill_limit, Types::Bytes.new(0..(1024 * tib)),
               "temporary files of the process; when full, uploads and apps wait", default: "4GiB", native: true
      t.option :spill_dir, Types::Path.new(placeholder: "DIR"), "where temporary files are made (they have no name)",
               default: :spill_dir, default_text: "$TMPDIR or the system's", native: true

      t.group "HTTP/2"
      t.option :h2_max_concurrent_streams, Types::Clamped.new("max_concurrent_streams", 1..0xFFFFFFFF),
               "requests at once on a connection", default: 128, unit: "streams", native: true
      t.option :h2_initial_window_size,
               Types::Clamped.new("initial_window_size", 0x400..0x7FFFFFFF, type: Types::Bytes, minimum: "usable"),
               "request body bytes that a stream may send before they are consumed", default: "1MiB", native: true
      t.option :h2_max_frame_size, Types::Clamped.new("max_frame_size", 0x4000..0xFFFFFF, type: Types::Bytes),
               "largest frame a peer may send", default: "1MiB", native: true
      t.option :h2_max_header_list_size,
               Types::Clamped.new("max_header_list_size", 0x400..0xFFFFFFFF, type: Types::Bytes, minimum: "usable"),
               "largest set of header fields of a request", default: "64KiB", native: true
      t.option :h2_connect_protocol, Types::Boolean.new,
               "WebSockets over HTTP/2 (RFC 8441); off sends browsers to HTTP/1.1 for them", default: "on", native: true
      t.option :h2_timing, Types::Boolean.new, "log how long the first response of each connection took",
               default: "off", native: true

      t.group "App and process"
      t.option :environment, Types::Text.new(/\A[\w.-]+\z/, allowed: "a word such as production", placeholder: "NAME"),
               "environment of the app", short: "e", default: "development"
      t.option :rackup, Types::Path.new, "app to load", default: "config.ru", default_text: "config.ru", scope: :command
      t.option :config, Types::Path.new, "config file in Ruby",
               short: "C", default_text: "config/hyperion_rs.rb, if there is one"
      t.option :tmp_restart, Types::Boolean.new,
               "restart, on the same sockets, when tmp/restart.txt is touched (Linux)", default: "on"
      t.option :pidfile, Types::Path.new, "file that holds the process id while the server runs", short: "P"
      t.option :server_header, Types::Text.new(/\A[\x21-\x7e]([\x20-\x7e]*[\x21-\x7e])?\z/, allowed: "printable ASCII",
                                                                                            placeholder: "TEXT"),
               "value of the server header", default: "hyperion-rs", native: true
      t.option :early_hints, Types::Boolean.new,
               "offer rack.early_hints to the app (status 103; not all clients bear it)", default: "off", native: true
      t.option :x_sendfile, Types::Path.new(placeholder: "DIR"),
               "directory of the files that an x-sendfile header may name; also gives ranges of files"
      t.option :access_log, Types::Choice.new("off", "json", "common"),
               "write a line for each request, in this format", default: "off", native: true
      t.option :access_log_path, Types::Output.new, "file of the access log; reopened at SIGUSR1",
               default: "-", default_text: "-, standard output", native: true
      t.option :log_level, Types::Choice.new("debug", "info", "warn", "error", "fatal"),
               "least severity that is logged", default: "info"
      t.option :debug, Types::Boolean.new, "log at level debug; show backtraces of errors at start", default: "off"
    end
    # rubocop:enable Metrics/BlockLength
  end
end
