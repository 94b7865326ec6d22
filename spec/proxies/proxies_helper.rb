# frozen_string_literal: true

require_relative "proxy_process"
require_relative "../support/websocket_client"

# A server behind a proxy, and clients that ask the proxy.
module ProxiesHelper
  APP = Pathname(__dir__).join("app.ru")
  GRPC = Pathname(__dir__).join("../grpc/app.ru")
  # What proxies are there to carry.
  UPLOAD = 100 << 20

  attr_reader :proxy, :server

  # For the group itself.
  module Group
    # A server, and a proxy in front of it, for all examples of the group. The block gets the server's address and
    # answers the proxy.
    def behind(app: APP, tls: false, **options)
      before(:context) do
        options = { log_level: "debug", **options, **(tls ? { tls: "dev" } : {}) }
        env = { "XDG_DATA_HOME" => ServerHelper.data_home }
        @server = ServerProcess.start(app.to_s, options:, env:)
        @proxy = yield "127.0.0.1:#{@server.port}"
      end
      after(:context) do
        @proxy&.kill
        @server&.stop(:TERM)
      ensure
        @server&.kill
      end
    end
  end

  # The response of the proxy to curl.
  def ask(path, *arguments, within: 60)
    curl("http://localhost#{path}", "--http1.1", "--unix-socket", proxy.socket, *arguments, within:)
  end

  # A WebSocket by way of the proxy.
  def websocket(path, &)
    WebSocketClient.open(UNIXSocket.new(proxy.socket), path, &)
  end

  # A file of random bytes, made once for all examples.
  def self.upload
    @upload ||= File.join(ServerHelper.data_home, "upload").tap do |path|
      File.open(path, "wb") { |file| 100.times { file.write(Random.bytes(UPLOAD / 100)) } }
    end
  end
end

RSpec.configure do |config|
  config.include ProxiesHelper, file_path: %r{/spec/proxies/}
  config.include Http2Client, file_path: %r{/spec/proxies/}
  config.include Python, file_path: %r{/spec/proxies/}
  config.include Eventually, file_path: %r{/spec/proxies/}
  config.extend ProxiesHelper::Group, file_path: %r{/spec/proxies/}
end
