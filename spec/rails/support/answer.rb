# frozen_string_literal: true

require "digest"
require "time"

# What a server answered, so that it can be compared with what another one does.
class Answer
  # What differs between two requests to one server.
  DRAWN = %w[server date x-request-id x-runtime].freeze
  # How a body is framed is up to the server and the protocol.
  FRAMING = %w[connection keep-alive transfer-encoding content-length].freeze
  # A longer body is told by its digest.
  LONG = 4_000

  # To a request that was made at some time.
  def initialize(response, url, time)
    @response = response
    @url = url
    @time = Time.at(time.to_i)
    @fields = response.headers.map { |name, value| [name.downcase, neutral(name.downcase, value)] }
  end

  # The length that it announces, if any.
  def announced
    @fields.assoc("content-length")&.last&.to_i
  end

  def size
    @response.body.bytesize
  end

  def to_h
    body = neutral("body", @response.body.b)
    { status: @response.status, headers: @fields.reject { |name, _| (DRAWN + FRAMING).include?(name) }.sort,
      body: body.size > LONG ? Digest::SHA256.hexdigest(body) : body }
  end

  private

  # Without what is drawn by lot, or is the server's address or its protocol.
  def neutral(name, value)
    case name
    when "set-cookie" then value.sub(/=[^;]{9,}/, "=DRAWN")
    when "last-modified" then Time.httpdate(value) < @time ? value : "NOW"
    when "etag" then value.sub(/"\h{32}"/, "DRAWN")
    else
      value.gsub(@url, "URL").gsub(@url.delete_prefix("http://"), "HOST")
           .gsub(/(?<=")[\w-]{86}(?=")/, "DRAWN").gsub(%r{HTTP/[\d.]+}, "HTTP")
    end
  end
end
