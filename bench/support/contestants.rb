# frozen_string_literal: true

require_relative "contestants/nginx"
require_relative "contestants/servers"

module Bench
  # Those that are measured when nothing is said.
  module Contestants
    OWN = [HyperionRs, Echo, NginxPuma, Puma, AsyncHTTP, Nginx].freeze

    def self.all
      OWN.map(&:new)
    end
  end
end
