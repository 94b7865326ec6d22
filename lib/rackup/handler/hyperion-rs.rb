# frozen_string_literal: true

# The handler is looked up by the name that the user gave, and the gem's name is one.
require_relative "hyperion_rs"
