# frozen_string_literal: true

# Bundler.require requires a gem by its name.
require_relative "hyperion_rs"
