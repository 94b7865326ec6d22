# frozen_string_literal: true

require_relative "../ext/hyperion_rs/toolchain"

# Where this Ruby's build of the native library goes in a checkout, which several Rubies may share.
module NativeBuild
  RUBY_ABI = RUBY_VERSION[/\A\d+\.\d+/]

  # rb-sys rebuilds everything that depends on it when the Ruby changes, so each Ruby has its own directory.
  def self.target_dir
    File.expand_path(ENV.fetch("CARGO_TARGET_DIR", "target/ruby-#{RUBY_ABI}"), Toolchain::ROOT)
  end

  # Where lib/hyperion_rs/native.rb looks first.
  def self.library
    File.join("lib/hyperion_rs", RUBY_ABI, Toolchain.library_name)
  end
end
