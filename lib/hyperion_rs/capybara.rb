# frozen_string_literal: true

require "capybara"
require_relative "../hyperion_rs"

# `Capybara.server = :hyperion_rs` serves the app under test, and takes options:
# `Capybara.server = :hyperion_rs, { threads: "2:4", tls: "dev" }`. What the config file and the environment say for the
# app's own server does not count here.
Capybara.register_server(:hyperion_rs) do |app, port, host, **options|
  options = { log_level: "warn", config: File::NULL, **options, host:, port: }
  configuration = HyperionRs::Configuration.new(options, env: {})
  HyperionRs::Server.new(app, configuration).run
end
