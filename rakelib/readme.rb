# frozen_string_literal: true

require_relative "../lib/hyperion_rs/configuration"

# The part of README.md that is made from the code: the table of options, between two markers.
module Readme
  PATH = File.expand_path("../README.md", __dir__)
  OPTIONS = /(?<=<!-- options: written by `rake docs:options` -->\n).*(?=^<!-- end of options -->)/m

  # What the file ought to say.
  def self.current
    text = File.read(PATH, encoding: "UTF-8")
    raise "#{PATH} has no markers of the option table" unless text.match?(OPTIONS)

    text.sub(OPTIONS) { "#{HyperionRs::Configuration::OPTIONS.to_markdown}\n" }
  end

  def self.update
    File.write(PATH, current)
  end
end
