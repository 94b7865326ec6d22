# frozen_string_literal: true

# TLS with a certificate that is made once and kept: browsers speak HTTP/2 over TLS only.
tls :dev
port ENV.fetch("PORT", 3000)
threads 2, ENV.fetch("RAILS_MAX_THREADS", 8)
early_hints true
# Files can be asked for in parts.
x_sendfile "storage"
