# frozen_string_literal: true

require_relative "http1_helper"

RSpec.describe "HTTP in the clear beside TLS" do
  def location_of(answer)
    answer[%r{\AHTTP/1.1 308 .*^location: (\S+)\r\n}m, 1]
  end

  request = "GET /a%20b?c=d HTTP/1.1\r\nHost: localhost\r\n\r\n"

  it "is told that the port speaks TLS" do
    with_server(ServerHelper::HELLO) do
      expect(talk(request)).to start_with("HTTP/1.1 400 Bad Request").and end_with("This port speaks TLS: use https.\n")
      expect(curl("/").status).to eq(200)
    end
  end

  it "is redirected by redirect_http" do
    with_server(ServerHelper::HELLO, options: { redirect_http: true }) do
      expect(location_of(talk(request))).to eq("https://localhost:#{server.port}/a%20b?c=d")
      expect(curl("/").status).to eq(200)
    end
  end

  it "is redirected from the addresses of https_redirect_bind" do
    with_server(ServerHelper::HELLO, options: { https_redirect_bind: "tcp://127.0.0.1:0" }) do
      port = server.wait_for(%r{redirecting http://127\.0\.0\.1:(\d+)})[1].to_i
      expect(location_of(talk(request, port:))).to eq("https://localhost:#{server.port}/a%20b?c=d")
      expect(talk("GET / HTTP/1.1\r\n\r\n", port:)).to start_with("HTTP/1.1 400")
    end
  end
end
