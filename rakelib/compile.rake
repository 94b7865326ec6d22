# frozen_string_literal: true

require_relative "native_build"

desc "Build the native library for this Ruby into lib/hyperion_rs/<Ruby ABI>/"
task :compile do
  toolchain = Toolchain.new
  begin
    toolchain.check!
  rescue Toolchain::Missing => e
    abort e.message
  end
  sh toolchain.build_env, *toolchain.cargo_command(target_dir: NativeBuild.target_dir)

  # Renamed, not overwritten: a running process may have the old file mapped.
  library = NativeBuild.library
  mkdir_p File.dirname(library), verbose: false
  cp toolchain.built_library(NativeBuild.target_dir), "#{library}.tmp", verbose: false
  mv "#{library}.tmp", library, verbose: false
end
