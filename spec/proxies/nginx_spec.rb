# frozen_string_literal: true

require_relative "proxies_helper"
require_relative "shared_examples"

RSpec.describe "nginx" do
  # What nginx's own documentation says of WebSockets, and bodies that pass at once.
  location = <<~DIRECTIVES
    proxy_http_version 1.1;
    proxy_set_header Host $host;
    proxy_set_header X-Forwarded-Proto https;
    proxy_set_header Upgrade $http_upgrade;
    proxy_set_header Connection $http_connection;
    proxy_request_buffering off;
    proxy_buffering off;
  DIRECTIVES

  { "HTTP/1.1" => [false, "proxy_pass http://"],
    "HTTP/1.1 over TLS" => [true, "proxy_ssl_verify off; proxy_pass https://"] }.each do |name, (tls, pass)|
    context "with #{name}" do
      behind(tls:) { |address| Nginx.with("#{location} #{pass}#{address};") }

      it_behaves_like "a server behind a proxy"
    end
  end

  context "with HTTP/1.0, which is its default" do
    behind { |address| Nginx.with("proxy_pass http://#{address};") }

    it "passes requests and responses" do
      expect(ask("/")).to have_attributes(status: 200, body: "hello\n")
      expect(ask("/large").body.bytesize).to eq(20_000_000)
      expect(ask("/digest", "--data", "abc").body).to start_with("3 ")
    end
  end

  { "h2c" => [false, "grpc_pass grpc://"],
    "HTTP/2 over TLS" => [true, "grpc_ssl_verify off; grpc_pass grpcs://"] }.each do |name, (tls, pass)|
    context "with gRPC over #{name}" do
      behind(app: ProxiesHelper::GRPC, tls:) { |address| Nginx.with("#{pass}#{address};", listen: "http2") }

      it_behaves_like "a gRPC server behind a proxy"
    end
  end
end
