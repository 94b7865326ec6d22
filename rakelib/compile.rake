# frozen_string_literal: true

require "fileutils"
require_relative "../ext/hyperion_rs/toolchain"

desc "Build the native library for this Ruby into lib/hyperion_rs/<Ruby ABI>/"
task :compile do
  ruby_abi = RUBY_VERSION[/\A\d+\.\d+/]
  # rb-sys rebuilds everything that depends on it when the Ruby changes, so each Ruby has its own directory.
  target_dir = File.expand_path(ENV.fetch("CARGO_TARGET_DIR", "target/ruby-#{ruby_abi}"))
  library = File.join("lib/hyperion_rs", ruby_abi, Toolchain.library_name)

  toolchain = Toolchain.new
  begin
    toolchain.check!
  rescue Toolchain::Missing => e
    abort e.message
  end
  sh toolchain.build_env, *toolchain.cargo_command(target_dir:)

  # Renamed, not overwritten: a running process may have the old file mapped.
  mkdir_p File.dirname(library), verbose: false
  cp toolchain.built_library(target_dir), "#{library}.tmp", verbose: false
  mv "#{library}.tmp", library, verbose: false
end
