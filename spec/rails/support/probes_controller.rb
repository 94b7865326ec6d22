# frozen_string_literal: true

# What the chat itself has no use for, and other Rails apps do; added to it by the specs.
class ProbesController < ApplicationController
  include ActionController::Live

  skip_forgery_protection only: :echo

  FILE = Rails.root.join("storage/alphabet.txt")

  def seen
    render json: {
      ssl: request.ssl?, remote_ip: request.remote_ip, ip: request.ip, url: request.original_url,
      host: request.host_with_port, protocol: request.protocol
    }
  end

  def events
    response.headers["Content-Type"] = "text/event-stream"
    stream_at_once
    events = SSE.new(response.stream, event: "count")
    3.times { |number| events.write({ number: }) }
  ensure
    events.close
  end

  # Writes until the client is gone.
  def endless
    stream_at_once
    loop { response.stream.write("#{'x' * 1000}\n") }
  rescue ActionController::Live::ClientDisconnected, IOError => e
    Rails.logger.info("endless ended: #{e.class}")
  ensure
    response.stream.close
  end

  def file
    send_file FILE, filename: "alphabet.txt", type: "text/plain"
  end

  # As an app does that knows the header.
  def named
    head :ok, "X-Sendfile" => FILE.to_s, "Content-Type" => "text/plain"
  end

  def data
    send_data "a" * 100_000, filename: "data.bin"
  end

  def crumbs
    cookies[:plain] = "1"
    cookies.signed[:signed] = { value: "2", httponly: true }
    cookies.encrypted[:encrypted] = { value: "3", secure: true, same_site: :strict, path: "/probes" }
    cookies.delete(:gone)
    render plain: "baked"
  end

  def read
    render plain: [cookies[:plain], cookies.signed[:signed], cookies.encrypted[:encrypted]].inspect
  end

  def cached
    fresh_when(etag: "version 1", last_modified: Time.utc(2020), public: true)
    render plain: "fresh" unless performed?
  end

  def away
    redirect_to "https://example.org/elsewhere?a=b", allow_other_host: true
  end

  def empty
    head :no_content
  end

  def fail
    raise "as it was told to"
  end

  def echo
    render plain: [request.request_method, request.media_type, request.raw_post, request.content_length].inspect
  end

  private

  # Rack::ETag would gather the whole body first.
  def stream_at_once
    response.headers["Last-Modified"] = Time.now.httpdate
  end
end
