# frozen_string_literal: true

# async-http as a server of Rack apps over TLS and HTTP/2, with the least between the two:
#
#     ruby async_http.rb PORT CERT KEY RACKUP

require "async"
require "async/http/endpoint"
require "async/http/server"
require "openssl"
require "rack"
require "stringio"

# From a request of protocol-http to Rack and back. No more than the apps of bench/ need.
class RackAdapter
  def initialize(app)
    @app = app
  end

  def call(request)
    status, headers, body = @app.call(env(request))
    chunks = []
    body.each { |chunk| chunks << chunk }
    Protocol::HTTP::Response[status, headers.to_a, chunks]
  ensure
    body.close if body.respond_to?(:close)
  end

  private

  def env(request)
    path, query = request.path.split("?", 2)
    env = { "REQUEST_METHOD" => request.method, "SCRIPT_NAME" => "", "PATH_INFO" => path, "QUERY_STRING" => query.to_s,
            "SERVER_PROTOCOL" => request.version, "SERVER_NAME" => "localhost", "SERVER_PORT" => "443",
            "REMOTE_ADDR" => "127.0.0.1", "HTTP_HOST" => request.authority, "HTTPS" => "on",
            "rack.version" => [1, 3], "rack.url_scheme" => "https", "rack.errors" => $stderr,
            "rack.input" => StringIO.new(request.body&.join || +"".b), "rack.multithread" => false,
            "rack.multiprocess" => false, "rack.run_once" => false }
    request.headers.each { |name, value| env[key(name)] = value.to_s }
    env
  end

  def key(name)
    name = name.upcase.tr("-", "_")
    %w[CONTENT_TYPE CONTENT_LENGTH].include?(name) ? name : "HTTP_#{name}"
  end
end

def tls(cert, key)
  OpenSSL::SSL::SSLContext.new.tap do |context|
    context.cert = OpenSSL::X509::Certificate.new(File.read(cert))
    context.key = OpenSSL::PKey.read(File.read(key))
    context.alpn_select_cb = ->(offered) { (%w[h2 http/1.1] & offered).first }
  end
end

port, cert, key, rackup = ARGV
app, = Rack::Builder.parse_file(rackup)
endpoint = Async::HTTP::Endpoint.parse("https://127.0.0.1:#{port}", ssl_context: tls(cert, key))
Async do
  Async::HTTP::Server.new(RackAdapter.new(app), endpoint).run
end
