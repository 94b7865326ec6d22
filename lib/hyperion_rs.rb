# frozen_string_literal: true

require_relative "hyperion_rs/configuration"
require_relative "hyperion_rs/errors"
require_relative "hyperion_rs/hooks"
require_relative "hyperion_rs/metrics"
require_relative "hyperion_rs/native"
require_relative "hyperion_rs/server"
require_relative "hyperion_rs/version"

# A Rack server for HTTP/2 and TLS with a Rust core. Requiring this file loads no native code: that happens when a
# server is bound.
module HyperionRs
  autoload :CLI, "#{__dir__}/hyperion_rs/cli"
  autoload :H2Admission, "#{__dir__}/hyperion_rs/h2_admission"
  autoload :Http2Handler, "#{__dir__}/hyperion_rs/http2_handler"
  autoload :JsonFormatter, "#{__dir__}/hyperion_rs/json_formatter"
  autoload :RackHandler, "#{__dir__}/hyperion_rs/rack_handler"
  autoload :Runtime, "#{__dir__}/hyperion_rs/runtime"
end

require_relative "hyperion_rs/railtie" if defined?(Rails::Railtie)
