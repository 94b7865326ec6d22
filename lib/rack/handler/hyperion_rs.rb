# frozen_string_literal: true

require_relative "../../hyperion_rs"

require "rack/handler"

module Rack
  module Handler # :nodoc:
    # Found by `rackup -s hyperion_rs` of Rack 2.
    class HyperionRs < ::HyperionRs::RackHandler
    end

    register "hyperion_rs", HyperionRs
    register "hyperion-rs", HyperionRs
  end
end
