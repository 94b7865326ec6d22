# frozen_string_literal: true

require "hyperion_rs"

Dir[File.join(__dir__, "support", "*.rb")].each { |file| require file }

RSpec.configure do |config|
  config.expect_with(:rspec) { |expectations| expectations.syntax = :expect }
  config.mock_with(:rspec) { |mocks| mocks.verify_partial_doubles = true }
  config.disable_monkey_patching!
  config.shared_context_metadata_behavior = :apply_to_host_groups
  config.example_status_persistence_file_path = ".rspec_status"

  config.include TemporaryFiles
  config.include ServerHelper, file_path: %r{/spec/(integration|grpc|hostile|flow|observe)/}
  config.include Http2Client, file_path: %r{/spec/(integration|grpc|hostile|flow|observe)/}
  config.include Python, file_path: %r{/spec/(grpc|websocket)/}
  config.include Siege, file_path: %r{/spec/(hostile|flow)/}
  config.include RawText, file_path: %r{/spec/(http1|observe)/}
  config.include Eventually, file_path: %r{/spec/(integration|grpc|hostile|flow|observe)/}
end
