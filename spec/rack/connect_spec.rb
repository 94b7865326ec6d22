# frozen_string_literal: true

require_relative "rack_helper"

RSpec.describe "extended CONNECT (RFC 8441)" do
  app = <<~'RACKUP'
    run lambda { |env|
      asked = "#{env["REQUEST_METHOD"]} #{env["rack.protocol"]} #{env["PATH_INFO"]}"
      echo = lambda { |stream|
        stream << "#{asked}\n"
        begin
          loop { stream << stream.readpartial(65_536).upcase }
        rescue EOFError
          stream.close
        end
      }
      [200, {}, echo]
    }
  RACKUP

  serve app, lint: false

  it "reaches the app with its head, and talks in both directions" do
    told = js(<<~JAVASCRIPT)
      const stream = open(session, "/chat", { ":method": "CONNECT", ":protocol": "websocket", ":scheme": "https" });
      while (!stream.seen().includes("\\n")) await sleep(5);
      stream.write("ping");
      while (!stream.seen().endsWith("PING")) await sleep(5);
      stream.end("pong");
      return stream.outcome;
    JAVASCRIPT
    expect(told).to include(status: 200, body: "GET [\"websocket\"] /chat\nPINGPONG", reset: "NO_ERROR")
  end

  it "is not implemented without a protocol" do
    told = js(<<~JAVASCRIPT)
      return open(session, undefined, { ":method": "CONNECT", ":authority": "example.org:443" }).outcome;
    JAVASCRIPT
    expect(told).to include(status: 501)
  end
end
