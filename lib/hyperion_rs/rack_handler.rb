# frozen_string_literal: true

require_relative "configuration"
require_relative "failure"
require_relative "restart"
require_relative "server"

module HyperionRs
  # The handler behind `rackup -s hyperion_rs` and `rails server -u hyperion_rs`. Rack 2 and Rackup each have a
  # subclass, since Rack 2 finds a handler by the name of its class.
  class RackHandler
    class << self
      # Serves the app until INT, TERM or a `shutdown` of the server that is yielded, bound, before it runs. The options
      # are those of Configuration::RackOptions.
      def run(app, legacy_options = {}, **options)
        options = legacy_options.merge(options)
        server = Server.new(app, Configuration.from_rack(options))
        server.bind
        yield server if block_given?
        main? ? Restart.run(server, pidfile: options[:pid]) : server.run
      rescue Error => e
        # In another thread the server is embedded, and the error belongs to the program around it.
        raise unless main?

        Failure.report(e, debug: $DEBUG || options[:debug])
        exit 1
      end

      def main?
        Thread.current == Thread.main
      end
      private :main?

      # The help of `rackup -s hyperion_rs --help`.
      def valid_options
        Configuration::RackOptions.names.to_h do |name|
          option = Configuration::OPTIONS[name] || Configuration::OPTIONS[:config]
          ["#{name}=#{option.type.placeholder}", "#{option.help} (default: #{option.default_text})"]
        end
      end
    end
  end
end
