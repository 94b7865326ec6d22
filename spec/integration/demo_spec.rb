# frozen_string_literal: true

require "digest"
require "json"

RSpec.describe "the demo app over TLS and HTTP/2" do
  let(:server) { start_server(tls: true, via: :rackup) }

  it "has a page for a person" do
    response = curl(server.url("/"))
    expect(response).to have_attributes(status: 200, protocol: "2")
    expect(response.body).to include("<title>hyperion-rs</title>")
  end

  it "says what the app sees" do
    expect(JSON.parse(curl(server.url("/json")).body))
      .to include("protocol" => "HTTP/2", "scheme" => "https", "host" => "127.0.0.1:#{server.port}",
                  "client" => "127.0.0.1")
  end

  it "answers with all the headers of Rails" do
    response = curl(server.url("/rails"))
    names = response.headers.map(&:first)
    expect(names).to eq(names.uniq)
    expect(names.size).to be_between(25, 26) # rackup adds a content-length
    expect([response.body.bytesize, response["server"], response["date"].size]).to eq([75, ["hyperion-rs"], 1])
  end

  it "receives an upload whole, from memory and from a temporary file" do
    [1_000, 5_000_000].each do |size|
      body = Random.bytes(size)
      answer = curl(server.url("/upload"), "--data-binary", "@#{write_file('body', body)}").body
      expect(JSON.parse(answer)).to eq("size" => size, "sha256" => Digest::SHA256.hexdigest(body))
    end
  end

  it "sends bytes back as they came" do
    body = Random.bytes(300_000)
    response = curl(server.url("/echo"), "--data-binary", "@#{write_file('body', body)}",
                    "--header", "content-type: image/png")
    expect([Digest::SHA256.hexdigest(response.body), response["content-type"]])
      .to eq([Digest::SHA256.hexdigest(body), ["image/png"]])
  end

  it "sleeps for many at once" do
    script = <<~JAVASCRIPT
      const started = Date.now();
      const one = () => new Promise((resolve) => {
        const request = session.request({ ":path": "/sleep?ms=1000" });
        request.on("response", (headers) => resolve(headers[":status"]));
        request.resume();
      });
      Promise.all(Array.from({ length: 12 }, one)).then((statuses) => done({ statuses, took: Date.now() - started }));
    JAVASCRIPT
    result = node(server.url, script)
    expect(result[:statuses]).to eq([200] * 12)
    expect(result[:took]).to be < 12 * 1000
  end

  it "answers HEAD, and refuses what it does not know" do
    expect(curl(server.url("/"), "--head")).to have_attributes(status: 200, body: "")
    expect(curl(server.url("/nope")).status).to eq(404)
    expect(curl(server.url("/upload")).status).to eq(405)
  end
end
