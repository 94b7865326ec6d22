# frozen_string_literal: true

require "rails/railtie"

module HyperionRs
  # What Rails needs of a server beside Rack.
  #
  # The file may be loaded after the app was initialized, as by the `hyperion-rs` command: hence no initializers.
  class Railtie < ::Rails::Railtie
    # So that an app's tests need only say `Capybara.server = :hyperion_rs`.
    ActiveSupport.on_load(:action_dispatch_system_test_case) { require "hyperion_rs/capybara" }

    class << self
      # A thread that finds no connection waits for one, and then raises.
      def compare_pool(server)
        return unless defined?(::ActiveRecord::Base)

        pool = ::ActiveRecord::Base.connection_pool.size
        threads = server.configuration.threads.max
        return unless threads > pool

        server.logger.warn("threads: up to #{threads} (from #{server.configuration.origin(:threads)}) share a " \
                           "database pool of #{pool} connections; give both the same number")
      rescue ::ActiveRecord::ConnectionNotEstablished, ::ActiveRecord::AdapterNotSpecified
        nil # It has no database.
      end

      # Clients are told to connect again, which leads them to the next process.
      def close_cables
        ::ActionCable.server.restart if defined?(::ActionCable::Server::Base) && ::ActionCable.server.connections.any?
      end
    end

    HyperionRs.on_serve { |server| compare_pool(server) }
    HyperionRs.on_drain { close_cables }
  end
end
