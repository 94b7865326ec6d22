# frozen_string_literal: true

require "digest"
require "json"
require "rack"
require "rack/lint"
require "rack/mock"
require "hyperion_rs/app_loader"

RSpec.describe "examples/demo.ru" do
  demo = HyperionRs::AppLoader.load(File.expand_path("../../examples/demo.ru", __dir__))

  let(:request) { Rack::MockRequest.new(Rack::Lint.new(demo)) }

  def json(response)
    expect(response.status).to eq(200)
    JSON.parse(response.body, symbolize_names: true)
  end

  it "has a page for a person" do
    response = request.get("/")
    expect([response.status, response["content-type"]]).to eq([200, "text/html; charset=utf-8"])
    expect(response.body).to include("nextHopProtocol")
  end

  it "answers JSON about the request" do
    expect(json(request.get("/json", "SERVER_PROTOCOL" => "HTTP/2"))).to include(scheme: "http", ruby: RUBY_VERSION)
  end

  it "answers as Rails does: 25 headers, some different each time, and 75 bytes" do
    answers = Array.new(2) { demo.call(Rack::MockRequest.env_for("/rails")) }
    expect(answers.map { |_, headers, _| headers.size }).to eq([25, 25])
    expect(answers.map { |_, _, body| body.each.sum(&:bytesize) }).to eq([75, 75])
    first, second = answers.map { |_, headers, _| headers }
    expect(first.reject { |name, value| second[name] == value }.keys)
      .to include("x-request-id", "set-cookie", "etag", "content-security-policy")
    expect(request.get("/rails").status).to eq(200)
  end

  it "measures an upload" do
    body = "hyperion" * 50_000
    expect(json(request.post("/upload", input: body))).to eq(size: 400_000, sha256: Digest::SHA256.hexdigest(body))
  end

  it "echoes a body with its type" do
    response = request.post("/echo", input: "a\0b".b, "CONTENT_TYPE" => "image/png")
    expect([response.body.b, response["content-type"]]).to eq(["a\0b".b, "image/png"])
  end

  it "sleeps, but not for long" do
    expect(json(request.get("/sleep?ms=1"))).to eq(slept_ms: 1)
    expect(json(request.get("/sleep?ms=-5"))).to eq(slept_ms: 0)
    expect(Demo::MAX_SLEEP_MS).to be <= 5000
  end

  it "answers HEAD without a body" do
    response = request.head("/")
    expect([response.status, response.body]).to eq([200, ""])
  end

  it "refuses unknown paths and methods" do
    expect(request.get("/nope").status).to eq(404)
    response = request.get("/upload")
    expect([response.status, response["allow"]]).to eq([405, "POST"])
  end
end
