# frozen_string_literal: true

# In an app of yours: `gem "hyperion-rs"` in the Gemfile, and "bundler/setup" here. This one runs with the Rails that is
# installed, and with the checkout that it is in.
checkout = File.expand_path("../../../lib", __dir__)
$LOAD_PATH.unshift(checkout) if File.directory?(File.join(checkout, "hyperion_rs"))

# Which Bundler loads, and Rails' commands rely on it.
require "pathname"
