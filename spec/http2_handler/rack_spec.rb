# frozen_string_literal: true

require "rack"
require_relative "handler_helper"

RSpec.describe HyperionRs::Http2Handler, "and Rack" do
  let(:called) { Thread::Queue.new }

  # A body that iterates strings and has trailers.
  body_with_trailers = Struct.new(:chunks, :trailers) do
    def each(&block)
      chunks.each(&block)
    end
  end

  def upload(client, fields, last: false)
    head = Frames.request("/upload", method: "POST", fields:)
    client.write(Frames.headers(1, head, body: true) + Frames.data(1, "first", last:))
  end

  # The head, the body and the trailers of a response.
  def response(url)
    node(url, <<~JAVASCRIPT)
      const stream = session.request({ ":path": "/" });
      const seen = { chunks: [], trailers: {} };
      stream.on("response", (headers) => { seen.headers = headers; });
      stream.on("data", (chunk) => { seen.chunks.push(String(chunk)); });
      stream.on("trailers", (trailers) => { seen.trailers = trailers; });
      stream.on("end", () => done(seen));
    JAVASCRIPT
  end

  it "satisfies Rack::Lint" do
    server = listen(handler(Rack::Lint.new(->(_env) { [200, { "content-type" => "text/plain" }, ["linted"]] })))
    expect(curl(server.url, "-d", "a=b").body).to eq("linted")
  end

  it "calls the app at the end of the request" do
    app = lambda { |env|
      called << env["rack.input"].read
      [200, {}, []]
    }
    client = connect(listen(handler(app)))
    upload(client, {})
    client.synchronize
    expect(called).to be_empty
    client.write(Frames.data(1, " second", last: true))
    expect(called.pop).to eq("first second")
    expect(client.status(1)).to eq(200)
  end

  it "calls the app for gRPC when the head is there, with an input that streams" do
    app = lambda { |env|
      input = env["rack.input"]
      2.times { called << input.read(5) }
      [200, {}, []]
    }
    client = connect(listen(handler(app)))
    upload(client, { "content-type" => "application/grpc+proto", "te" => "trailers" })
    expect(called.pop).to eq("first")
    client.write(Frames.data(1, "again", last: true))
    expect(called.pop).to eq("again")
    expect(client.status(1)).to eq(200)
  end

  it "sends each chunk of a body with trailers as DATA, and then the trailers" do
    trailers = { "grpc-status" => "0", ":status" => "200", "connection" => "close", "te" => "x" }
    body = body_with_trailers.new(["one", "", "two"], trailers)
    seen = response(listen(handler(->(_env) { [200, {}, body] })).url)
    expect(seen).to include(chunks: %w[one two], trailers: { "grpc-status": "0" })
  end

  it "sends no trailers for nil and for none" do
    [nil, {}].each do |trailers|
      body = body_with_trailers.new(%w[one], trailers)
      client = connect(listen(handler(->(_env) { [200, {}, body] })))
      expect(get(client)).to eq(200)
      expect(client.frames.count { |frame| frame.type == Frames::HEADERS && frame.stream == 1 }).to eq(1)
    end
  end

  it "makes one line of each value of a header" do
    app = ->(_env) { [200, { "set-cookie" => %w[a=1 b=2], "x-lines" => "one\ntwo" }, []] }
    response = curl(listen(handler(app)).url)
    expect([response["set-cookie"], response["x-lines"]]).to eq([%w[a=1 b=2], %w[one two]])
  end

  it "ends the response with its head for 204, 304 and HEAD" do
    { "GET" => 204, "POST" => 304, "HEAD" => 200 }.each do |method, status|
      client = connect(listen(handler(->(_env) { [status, {}, []] })))
      client.write(Frames.headers(1, Frames.request(method:)))
      head = client.wait_for_end(1)
      expect([head.type, head.status, client.data_frames(1)]).to eq([Frames::HEADERS, status, []])
    end
  end

  it "answers 500 in plain text when the app raises" do
    response = curl(listen(handler(->(_env) { raise "secret" })).url)
    expect(response).to have_attributes(status: 500, body: "Internal Server Error")
    expect(response["content-type"]).to eq(["text/plain"])
  end

  it "closes the body once, whatever happens" do
    closed = Thread::Queue.new
    body = Class.new do
      define_method(:each) { |&block| block.call("some") && raise("late") }
      define_method(:close) { closed << true }
    end
    client = connect(listen(handler(->(_env) { [200, {}, body.new] })))
    client.write(Frames.headers(1))
    expect(client.wait_for_reset(1)).to eq(:internal_error)
    expect(closed.pop).to be(true)
    expect(closed).to be_empty
  end
end
