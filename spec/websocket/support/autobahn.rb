# frozen_string_literal: true

require_relative "../../support/python"

# The cases of the Autobahn test suite, which is what implementations of WebSockets are measured by.
module Autobahn
  extend Python

  # Compression (RFC 7692), which is an extension of the libraries and not installed here.
  COMPRESSION = %w[12.* 13.*].freeze
  # Thousands of messages, and messages of 16 MiB: `rake autobahn` runs them.
  LARGE = %w[9.*].freeze
  # What a case may become; the others are faults.
  GOOD = %w[OK NON-STRICT INFORMATIONAL].freeze
  # All of them, on a machine that is busy.
  WITHIN = 240

  def self.possible?
    Python::AUTOBAHN.possible?
  end

  # What became of each case, in its messages and in its close.
  def self.results(url, exclude: [])
    python("autobahn.py", url, exclude, environment: Python::AUTOBAHN, within: WITHIN)
  end

  # Those that went wrong.
  def self.faults(url)
    all = results(url, exclude: COMPRESSION + LARGE)
    raise "only #{all.size} cases were run" if all.size < 240

    all.reject { |_, (behavior, close)| GOOD.include?(behavior) && GOOD.include?(close) }
  end
end
