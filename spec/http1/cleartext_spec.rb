# frozen_string_literal: true

require_relative "http1_helper"

RSpec.describe "HTTP/1.1 in cleartext" do
  app = <<~'RACKUP'
    run(lambda { |env|
      $stderr.puts("called #{env['PATH_INFO']}")
      [200, { "content-type" => "text/plain" }, ["<#{env['SERVER_PROTOCOL']} #{env['PATH_INFO']} #{env['rack.input'].read}>"]]
    })
  RACKUP
  serve app, tls: false, lint: false

  it "shares the port with HTTP/2" do
    expect(curl("/one").body).to start_with("<HTTP/1.1 /one")
    result = ChildProcess.run("curl", "-sS", "--http2-prior-knowledge", server.url("/two"))
    expect(result.out).to start_with("<HTTP/2 /two")
  end

  it "answers requests in a row, in their order" do
    get = ->(path) { "GET #{path} HTTP/1.1\r\nHost: a\r\n\r\n" }
    post = "POST /2 HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"
    answer = talk([get["/1"], post, get["/3"]].join)
    expect(answer.scan(/<.*>/)).to eq(["<HTTP/1.1 /1 >", "<HTTP/1.1 /2 abc>", "<HTTP/1.1 /3 >"])
  end

  {
    "two ways to tell the length" => "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n",
    "two lengths" => "Content-Length: 5\r\nContent-Length: 5\r\n",
    "an unknown coding" => "Transfer-Encoding: xchunked\r\n",
    "a folded line" => "X: a\r\n b\r\n",
    "a space before the colon" => "Content-Length : 5\r\n",
    "a bare line feed" => "X: a\nContent-Length: 5\r\n"
  }.each do |what, fields|
    it "refuses #{what}, and all that follows" do
      second = "GET /smuggle HTTP/1.1\r\nHost: a\r\n\r\n"
      answer = talk("POST /smuggle HTTP/1.1\r\nHost: a\r\n#{fields}\r\n0\r\n\r\n#{second}")
      expect(answer).to start_with("HTTP/1.1 400 Bad Request\r\nconnection: close\r\n")
      expect(answer.scan("HTTP/1.1 ").size).to eq(1)
      # What the app was called for before is told before.
      server.wait_for_another(%r{called /next}) { curl("/next") }
      expect(server.err).not_to include("called /smuggle")
    end
  end
end
