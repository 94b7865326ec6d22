# frozen_string_literal: true

module HyperionRs
  VERSION = "0.1.0"
end
