# frozen_string_literal: true

require "open3"
require_relative "../../rakelib/native_build"
require_relative "failure"

module Bench
  # Programs that are built from the core's examples.
  module NativePrograms
    # Runs what a build needs, quietly unless it fails.
    def self.build(*command)
      output, status = Open3.capture2e(*command, chdir: ROOT)
      raise Failure, "#{command.grep(String).join(' ')} failed:\n#{output}" unless status.success?
    end

    # Builds an example, in the environment and the directory of the gem's build, which share the dependencies.
    def self.build_example(name)
      build(Toolchain.new.build_env, "cargo", "build", "--quiet", "--release", "--locked", "-p", "hyperion_core",
            "--example", name, "--target-dir", NativeBuild.target_dir)
    end

    # Where it is then.
    def self.path(name)
      File.join(NativeBuild.target_dir, "release/examples", name)
    end
  end
end
