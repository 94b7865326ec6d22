# frozen_string_literal: true

require_relative "../../hyperion_rs"
require "rackup/handler"

module Rackup
  module Handler # :nodoc:
    # Found by `rackup -s hyperion_rs` of Rack 3.
    class HyperionRs < ::HyperionRs::RackHandler
    end

    register :hyperion_rs, HyperionRs
    register :"hyperion-rs", HyperionRs
  end
end
