# frozen_string_literal: true

require_relative "native_build"

namespace :package do
  desc "Build the gem, install it into an empty gem home, boot rackup -s hyperion_rs from there"
  task :test do
    require_relative "package_trial"
    PackageTrial.run(target_dir: NativeBuild.target_dir)
  rescue PackageTrial::Failed => e
    abort "package:test: #{e.message}"
  end
end
