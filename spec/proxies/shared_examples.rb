# frozen_string_literal: true

require "digest"
require_relative "../websocket/support/libraries"

RSpec.shared_examples "a server behind a proxy" do
  it "answers what it is asked" do
    response = ask("/a%20path?a=1", "--header", "x-test: kept")
    expect(response).to have_attributes(status: 200, body: "hello\n")
    expect([response["x-path"], response["set-cookie"]]).to eq([["/a%20path"], ["a=1"]])
  end

  it "sees the fields of the client, and those of the proxy" do
    fields = JSON.parse(ask("/env?a=1", "--header", "x-test: kept").body)
    expect(fields).to include("HTTP_X_TEST" => "kept", "HTTP_HOST" => "localhost", "SERVER_NAME" => "localhost",
                              "HTTP_X_FORWARDED_PROTO" => "https")
  end

  it "answers without a body where there is none" do
    expect([204, 304, 404].map { |status| ask("/#{status}").status }).to eq([204, 304, 404])
    expect(ask("/large", "--head")).to have_attributes(status: 200, body: "")
  end

  it "takes an upload of 100 MB" do
    upload = ProxiesHelper.upload
    response = ask("/digest", "--upload-file", upload, within: 120)
    expect(response.body).to eq("#{File.size(upload)} #{Digest::SHA256.file(upload).hexdigest}")
  end

  it "takes an upload whose length is not known" do
    response = ask("/digest", "--data-binary", "@#{ProxiesHelper.upload}", "--header", "transfer-encoding: chunked",
                   within: 120)
    expect(response.body).to start_with("#{ProxiesHelper::UPLOAD} ")
  end

  it "sends a large body" do
    expect(ask("/large").body.bytesize).to eq(20_000_000)
  end

  it "sends each piece when it is there" do
    waiting = ChildProcess.new("curl", "--silent", "--no-buffer", "--unix-socket", proxy.socket, "http://localhost/wait")
    waiting.wait_for(/^first$/)
    ask("/go")
    waiting.wait_for(/^second 1$/)
    expect(waiting.wait(within: 30)).to be_success
  ensure
    waiting&.kill
  end

  it "answers many at once" do
    told = ChildProcess.run("curl", "--silent", "--unix-socket", proxy.socket, "--parallel", "--parallel-max", "40",
                            "--include", "http://localhost/many/[1-1000]", within: 120)
    expect(told.out.scan(/^(?:HTTP\S+ \d+|hello)/).tally).to eq("hello" => 1000, "HTTP/1.1 200" => 1000)
  end

  it "echoes over a WebSocket", if: WebSocketLibraries.available? do
    websocket("/driver") do |client|
      messages = ["text", "\u00e9" * 1000, "\xFF".b * 1_000_000]
      expect(messages.map { |message| client.send_message(message) && client.receive }).to eq(messages)
      expect(client.close).to eq(1000)
    end
  end
end

RSpec.shared_examples "a gRPC server behind a proxy" do
  def call(scenario, *arguments)
    python("grpc_client.py", "unix:#{proxy.socket}", nil, scenario, *arguments)
  end

  it "takes calls of all four kinds" do
    messages = Array.new(20) { |number| "message #{number}" }
    expect(call(:unary, "/Test/Echo", "a message")).to eq(message: "a message", code: "OK", details: "")
    expect(call(:client_streaming, "/Test/Size", %w[one two three])).to include(message: "11", code: "OK")
    expect(call(:server_streaming, "/Test/Count", "100")).to include(messages: ("1".."100").to_a, code: "OK")
    expect(call(:bidirectional, "/Test/Echo", messages)).to eq(messages:, code: "OK", details: "")
  end

  it "tells the error of a call" do
    expect(call(:unary, "/Test/Fail", "")).to eq(code: "INVALID_ARGUMENT", details: "50% of caf\u00e9s\n")
  end

  it "takes large messages" do
    expect(call(:large, 4 << 20)).to eq(sent: (4 << 20).to_s, received: 4 << 20, both: 4 << 20)
  end

  it "takes many calls at once" do
    expect(call(:burst, "/Test/Echo", 200)).to eq(Array.new(200) { |n| { message: n.to_s, code: "OK", details: "" } })
  end
end
