# frozen_string_literal: true

require "json"
require "securerandom"
require "time"

# A response as Rails sends it: 25 headers, of which the request id, the cookie, the ETag and the nonce are of this
# request alone, and 75 bytes of JSON.
class RailsLike
  BODY = JSON.generate(id: 7, title: "A response like that of Rails", tags: %w[h2 tls rack]).freeze
  LAST_MODIFIED = Time.utc(2024).httpdate.freeze

  def call(_env)
    id = SecureRandom.uuid
    [200, headers(id, SecureRandom.hex(16)), [BODY]]
  end

  private

  # rubocop:disable Metrics/MethodLength -- the headers, one a line
  def headers(id, secret)
    {
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
      "strict-transport-security" => "max-age=31536000; includeSubDomains",
      "content-security-policy" => "default-src 'self'; script-src 'self' 'nonce-#{secret}'",
      "x-request-id" => id,
      "x-runtime" => "0.004217",
      "x-powered-by" => "Rack",
      "set-cookie" => "_session=#{secret}#{id}; path=/; secure; httponly; samesite=lax",
      "etag" => "W/\"#{secret}\"",
      "last-modified" => LAST_MODIFIED,
      "date" => Time.now.httpdate,
      "server" => "bench",
      "access-control-allow-origin" => "*",
      "cross-origin-opener-policy" => "same-origin",
      "cross-origin-resource-policy" => "same-origin"
    }
  end
  # rubocop:enable Metrics/MethodLength
end

run RailsLike.new
