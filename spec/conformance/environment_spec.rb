# frozen_string_literal: true

require_relative "conformance_helper"

# Each example is a sentence of the Rack SPEC (docs/conformance.md).
RSpec.describe "the Rack SPEC on the environment" do
  kinds = {
    get: ["/a%20b/c;d?x=1&y=%26"],
    root: ["/"],
    head: ["/head?", "--head"],
    options: ["/", "--request", "OPTIONS", "--request-target", "*"],
    post: ["/post", "--data", "a=1&b=2"],
    empty_post: ["/post", "--request", "POST"],
    json: ["/json", "--data", "{}", "--header", "content-type: application/json; charset=utf-8"],
    large: ["/large", "--data", "x" * 10_000],
    streamed: ["/grpc", "--data", "five!", "--header", "content-type: application/grpc", "--header", "te: trailers"],
    bytes: ["/caf\u00e9?\u00e9", "--header", "x-bytes: caf\xE9".b, "--header", "cookie: a=1; b=2"],
    host: ["/", "--header", "host: example.test"],
    patch: ["/", "--request", "PATCH"]
  }

  on_each_transport(request_buffer: 1024, early_hints: true) do
    # One request of each kind, for all examples.
    told = {}

    define_method(:report) do |kind|
      path, *arguments = kinds.fetch(kind)
      told[kind] ||= JSON.parse(ask(path, "--header", "x-witness: 1", *arguments)["x-report"].first)
    end

    define_method(:env) { |kind| report(kind).fetch("env") }

    Sentences::ALL.each do |sentence|
      it sentence.text do
        violations = kinds.keys.to_h { |kind| [kind, report(kind).fetch("violations")[sentence.text]] }
        expect(violations.compact).to be_empty
      end
    end

    it "It takes exactly one argument, the environment" do
      expect(kinds.keys.map { |kind| report(kind).fetch("arguments") }).to all(eq(1))
    end

    it "PATH_INFO: the remainder of the request URL's path; this value may be percent-encoded" do
      expect(env(:get)["PATH_INFO"]).to eq("/a%20b/c;d")
      expect(env(:root)["PATH_INFO"]).to eq("/")
    end

    it "QUERY_STRING: the portion of the request URL that follows the ?" do
      expect(env(:get)["QUERY_STRING"]).to eq("x=1&y=%26")
    end

    it "These variables can be used to reconstruct the original request URL" do
      scheme, host, port, *path, query =
        env(:get).values_at("rack.url_scheme", "SERVER_NAME", "SERVER_PORT", "SCRIPT_NAME", "PATH_INFO", "QUERY_STRING")
      expect("#{scheme}://#{host}:#{port}#{path.join}?#{query}").to eq(server.url(kinds[:get].first))
    end

    it "HTTP_HOST, if present, should be used in preference to SERVER_NAME for reconstructing the request URL" do
      expect(env(:get)["HTTP_HOST"]).to eq("127.0.0.1:#{server.port}")
      expect(env(:host)["HTTP_HOST"]).to eq("example.test")
    end

    it "SERVER_PROTOCOL: the HTTP version used for the request" do
      expect(kinds.keys.map { |kind| env(kind)["SERVER_PROTOCOL"] }).to all(eq(transport.protocol))
    end

    it "CONTENT_TYPE: the MIME type of the request body, if any" do
      expect(env(:json)["CONTENT_TYPE"]).to eq("application/json; charset=utf-8")
      expect(env(:get)).not_to have_key("CONTENT_TYPE")
    end

    it "CONTENT_LENGTH: the length of the request body, if any" do
      expect(%i[post large].map { |kind| env(kind)["CONTENT_LENGTH"] }).to eq(%w[7 10000])
      expect(env(:get)).not_to have_key("CONTENT_LENGTH")
    end

    it "The presence or absence of HTTP_ variables should correspond with that of the HTTP header in the request" do
      expect(env(:bytes)).to include("HTTP_COOKIE" => "a=1; b=2", "HTTP_X_BYTES" => "caf\u00e9")
      expect(env(:get).keys).not_to include("HTTP_COOKIE", "HTTP_X_BYTES")
    end

    it "rack.url_scheme: http or https, depending on the request URL" do
      expect(env(:get)["rack.url_scheme"]).to eq(transport.tls ? "https" : "http")
    end
  end
end
