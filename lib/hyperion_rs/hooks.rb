# frozen_string_literal: true

# What programs around a server do when it begins to serve and when it begins to drain.
module HyperionRs
  # The blocks, in the order in which they were given.
  module Hooks
    @serve = []
    @drain = []

    class << self
      attr_reader :serve, :drain

      # Calls the hooks with the server. One that fails does not keep the others from it, nor the server.
      def call(hooks, server)
        hooks.each do |hook|
          hook.call(server)
        rescue StandardError => e
          server.logger.error("hook at #{hook.source_location.join(':')}: #{e.full_message(highlight: false)}")
        end
      end
    end
  end

  class << self
    # Calls the block with each server that begins to serve.
    def on_serve(&block)
      Hooks.serve << block
    end

    # Calls the block with each server that begins to drain, in a thread of its own. To end what lasts, such as event
    # streams, which would hold up the drain until shutdown_timeout.
    def on_drain(&block)
      Hooks.drain << block
    end
  end
end
