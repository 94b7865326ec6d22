# frozen_string_literal: true

require "rbconfig"
require_relative "errors"
require_relative "streaming"

module HyperionRs
  # The Rust side. It is loaded on demand, so that its absence is reported where a server is started and not as a
  # LoadError that Rack's handler lookup swallows.
  module Native
    # A checkout holds one library per Ruby ABI (`rake compile`): several Rubies may share it.
    CHECKOUT_LIBRARY = File.join(__dir__, RUBY_VERSION[/\A\d+\.\d+/], "hyperion_rs.#{RbConfig::CONFIG['DLEXT']}")
    INSTALLED_LIBRARY = "hyperion_rs/hyperion_rs"

    private_constant :CHECKOUT_LIBRARY, :INSTALLED_LIBRARY

    # Loads the native library unless it is loaded. Raises NativeLibraryError, with the reason, when it cannot be.
    def self.load!
      require File.file?(CHECKOUT_LIBRARY) ? CHECKOUT_LIBRARY : INSTALLED_LIBRARY
      nil
    rescue LoadError, StandardError => e
      raise NativeLibraryError, "cannot load the native library of hyperion-rs: #{e.message} " \
                                "(in a checkout, run `rake compile`; otherwise reinstall the gem)"
    end
  end
end
