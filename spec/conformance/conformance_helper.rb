# frozen_string_literal: true

require_relative "../rack/rack_helper"
require_relative "sentences"

# The conformance app on a server for a group of examples, and one client for every protocol that the server speaks.
module ConformanceHelper
  APP = File.join(__dir__, "app.ru")

  Transport = Struct.new(:name, :tls, :curl, :protocol)
  TRANSPORTS = [
    Transport.new("HTTP/2 over TLS", true, ["--http2"], "HTTP/2"),
    Transport.new("HTTP/2 in clear", false, ["--http2-prior-knowledge"], "HTTP/2"),
    Transport.new("HTTP/1.1 over TLS", true, ["--http1.1"], "HTTP/1.1"),
    Transport.new("HTTP/1.1 in clear", false, ["--http1.1"], "HTTP/1.1")
  ].freeze

  # For the group itself.
  module Group
    # Defines the examples of the block once for each transport.
    def on_each_transport(**options, &examples)
      TRANSPORTS.each do |transport|
        context "by #{transport.name}" do
          let(:transport) { transport }

          before(:context) do
            tls = transport.tls ? { tls: "dev" } : {}
            env = { "XDG_DATA_HOME" => ServerHelper.data_home }
            @server = ServerProcess.start(APP, options: { **options, **tls }, env:)
          end
          after(:context) { finish(@server) }

          class_exec(&examples)
        end
      end
    end
  end

  # The response to curl.
  def ask(path, *arguments)
    curl(server.url(path), "--insecure", *transport.curl, *arguments)
  end

  # The response to a request with a body.
  def post(path, body, *fields)
    file = write_file("body", body)
    ask(path, "--data-binary", "@#{file}", *fields.flat_map { |field| ["--header", field] })
  end

  # What the app said on stderr in lines that begin with the name.
  def told(name)
    server.err.scan(/^#{name}: (.*)$/).flatten
  end
end

RSpec.configure do |config|
  config.include RackHelper, file_path: %r{/spec/conformance/}
  config.include ConformanceHelper, file_path: %r{/spec/conformance/}
  config.include Http2Client, file_path: %r{/spec/conformance/}
  config.extend ConformanceHelper::Group, file_path: %r{/spec/conformance/}
end
