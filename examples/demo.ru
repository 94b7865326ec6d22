# frozen_string_literal: true

# What hyperion-rs is for, in one file:
#
#     hyperion-rs --tls dev examples/demo.ru

require "digest"
require "json"
require "rack"
require "securerandom"
require "time"

# Routes by method and path; `examples/demo.html` is the page at "/".
class Demo
  PAGE = File.read(File.join(__dir__, "demo.html"), encoding: "UTF-8").freeze
  CHUNK = 64 * 1024
  # A route that anybody can call must not hold a thread for long.
  MAX_SLEEP_MS = 5_000

  READ = %w[GET HEAD].freeze
  ROUTES = {
    "/" => [READ, :page],
    "/json" => [READ, :json],
    "/rails" => [READ, :rails],
    "/sleep" => [READ, :nap],
    "/upload" => [%w[POST], :upload],
    "/echo" => [%w[POST], :echo]
  }.freeze

  # A response of 25 headers, as Rails with the usual security middleware sends. The HSTS lifetime is 0: a browser that
  # trusts the certificate would otherwise refuse http://localhost from then on.
  RAILS_HEADERS = {
    "content-type" => "application/json; charset=utf-8",
    "x-frame-options" => "SAMEORIGIN",
    "x-xss-protection" => "0",
    "x-content-type-options" => "nosniff",
    "x-permitted-cross-domain-policies" => "none",
    "referrer-policy" => "strict-origin-when-cross-origin",
    "x-download-options" => "noopen",
    "cache-control" => "max-age=0, private, must-revalidate",
    "pragma" => "no-cache",
    "expires" => "Fri, 01 Jan 1990 00:00:00 GMT",
    "vary" => "Accept, Origin",
    "content-language" => "en",
    "strict-transport-security" => "max-age=0; includeSubDomains",
    "x-runtime" => "0.004217",
    "x-powered-by" => "hyperion-rs demo",
    "last-modified" => "Mon, 01 Jan 2024 00:00:00 GMT",
    "server" => "hyperion-rs",
    "access-control-allow-origin" => "*",
    "cross-origin-opener-policy" => "same-origin",
    "cross-origin-resource-policy" => "same-origin"
  }.freeze
  RAILS_BODY = '{"id":1,"title":"A response like that of Rails","tags":["h2","tls","ruby"]}'

  def call(env)
    methods, action = ROUTES[env["PATH_INFO"]]
    return text(404, "Not Found\n") unless action

    allowed = methods.include?(env["REQUEST_METHOD"])
    return text(405, "Method Not Allowed\n", "allow" => methods.join(", ")) unless allowed

    send(action, env)
  end

  private

  def page(_env)
    [200, { "content-type" => "text/html; charset=utf-8", "content-length" => PAGE.bytesize.to_s }, [PAGE]]
  end

  def json(env)
    json_response(protocol: env["SERVER_PROTOCOL"], scheme: env["rack.url_scheme"], host: env["HTTP_HOST"],
                  client: env["REMOTE_ADDR"], ruby: RUBY_VERSION, rack: Rack.release, pid: Process.pid)
  end

  def rails(_env)
    id = SecureRandom.uuid
    headers = RAILS_HEADERS.merge(
      "content-security-policy" => "default-src 'self'; script-src 'self' 'nonce-#{SecureRandom.base64(16)}'",
      "x-request-id" => id,
      "set-cookie" => "_demo_session=#{SecureRandom.urlsafe_base64(24)}; path=/; secure; httponly; samesite=lax",
      "etag" => "W/\"#{id.delete('-')}\"",
      "date" => Time.now.httpdate
    )
    [200, headers, [RAILS_BODY]]
  end

  def nap(env)
    milliseconds = Rack::Utils.parse_query(env["QUERY_STRING"])["ms"].to_i.clamp(0, MAX_SLEEP_MS)
    sleep(milliseconds / 1000.0)
    json_response(slept_ms: milliseconds)
  end

  # The body is hashed as it is read and never held whole.
  def upload(env)
    digest = Digest::SHA256.new
    size = 0
    while (chunk = env["rack.input"]&.read(CHUNK))
      digest << chunk
      size += chunk.bytesize
    end
    json_response(size:, sha256: digest.hexdigest)
  end

  def echo(env)
    body = env["rack.input"]&.read || ""
    type = env["CONTENT_TYPE"] || "application/octet-stream"
    [200, { "content-type" => type, "content-length" => body.bytesize.to_s }, [body]]
  end

  def json_response(**values)
    body = "#{JSON.generate(values)}\n"
    [200, { "content-type" => "application/json", "content-length" => body.bytesize.to_s }, [body]]
  end

  def text(status, body, headers = {})
    [status, { "content-type" => "text/plain", "content-length" => body.bytesize.to_s }.merge(headers), [body]]
  end
end

use Rack::Head
run Demo.new
