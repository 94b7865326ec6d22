# frozen_string_literal: true

require "time"
require_relative "rack_helper"

RSpec.describe "response headers" do
  # Headers, status and body by path; evaluated at the request.
  app = <<~'RACKUP'
    class Pairs
      def each = yield(["x-pair", "1"]).then { self }
      def to_a = [["x-pair", "1"], ["x-other", "2"]]
    end
    class Chunks
      def initialize(*chunks) = @chunks = chunks
      def each(&block) = @chunks.each(&block)
    end
    answers = {
      "/arrays" => -> { [200, { "set-cookie" => %w[a=1 b=2], "x-one" => ["1"] }, []] },
      "/newlines" => -> { [200, { "set-cookie" => "a=1\nb=2", "x-blank" => "\n" }, []] },
      "/integer" => -> { [200, { "content-length" => 2, "x-count" => 7 }, ["ok"]] },
      "/nil" => -> { [200, { "x-nil" => nil, "x-kept" => "1" }, []] },
      "/symbol" => -> { [200, { "x-symbol": :value }, []] },
      "/capitals" => -> { [200, { "X-Capital" => "Kept", "Content-Type" => "text/plain" }, ["ok"]] },
      "/pairs" => -> { [200, Pairs.new, []] },
      "/bytes" => -> { [200, { "x-bytes" => "caf\xE9".b, "x-utf8" => "caf\u00e9" }, []] },
      "/status-string" => -> { ["201", {}, []] },
      "/status-odd" => -> { [799, {}, []] },
      "/private" => -> { [200, { "rack.session" => "x", "status" => "200 OK", "x-kept" => "1" }, []] },
      "/connection" => -> { [200, { "connection" => "close", "keep-alive" => "1", "transfer-encoding" => "chunked",
                                    "upgrade" => "h2c", "proxy-connection" => "close", "x-kept" => "1" }, ["ok"]] },
      "/own" => -> { [200, { "date" => "yesterday", "server" => "mine" }, []] },
      "/longer" => -> { [200, { "content-length" => "2" }, ["four"]] },
      "/short-each" => -> { [200, { "content-length" => "9" }, Chunks.new("abc")] },
      "/long-each" => -> { [200, { "content-length" => "3" }, Chunks.new("ab", "cd")] },
      "/long-whole" => -> { [200, { "content-length" => "3" }, Chunks.new("abc", "d")] },
      "/exact-each" => -> { [200, { "content-length" => "4" }, Chunks.new("ab", "cd")] },
      "/long-stream" => -> { [200, { "content-length" => "3" }, ->(s) { s << "ab" << "cd"; s.close }] },
      "/crlf" => -> { [200, { "x-evil" => "a\r\nx-injected: 1" }, []] },
      "/nul" => -> { [200, { "x-evil" => "a\0b" }, []] },
      "/name-space" => -> { [200, { "x evil" => "1" }, []] },
      "/name-empty" => -> { [200, { "" => "1" }, []] },
      "/name-pseudo" => -> { [200, { ":status" => "200" }, []] },
      "/name-newline" => -> { [200, { "x-a\nx-b" => "1" }, []] },
      "/many-fields" => -> { [200, { "x-many" => "a\n" * 24_600 }, []] },
      "/large-fields" => -> { [200, { "x-large" => "a" * (1 << 20) }, []] },
      "/length-word" => -> { [200, { "content-length" => "many" }, ["ok"]] },
      "/length-negative" => -> { [200, { "content-length" => "-2" }, ["ok"]] },
      "/length-plus" => -> { [200, { "content-length" => "+2" }, ["ok"]] },
      "/length-twice" => -> { [200, { "content-length" => %w[2 3] }, Chunks.new("ok")] },
      "/status-low" => -> { [99, {}, []] },
      "/status-informational" => -> { [101, {}, []] },
      "/status-huge" => -> { [2**80, {}, []] },
      "/status-nil" => -> { [nil, {}, []] },
      "/two" => -> { [200, {}] },
      "/nothing" => -> { nil },
      "/text" => -> { "just text" },
      "/basic" => -> { BasicObject.new }
    }
    run ->(env) { answers.fetch(env["PATH_INFO"]).call }
  RACKUP

  serve app, lint: false

  it "makes a line of each value of an Array" do
    response = fetch("/arrays")
    expect([values(response, "set-cookie"), values(response, "x-one")]).to eq([%w[a=1 b=2], %w[1]])
  end

  it "makes a line of each line of a value" do
    response = fetch("/newlines")
    expect([values(response, "set-cookie"), values(response, "x-blank")]).to eq([%w[a=1 b=2], []])
  end

  it "takes values that are no Strings" do
    expect(values(fetch("/integer"), "x-count")).to eq(["7"])
    expect(values(fetch("/symbol"), "x-symbol")).to eq(["value"])
    expect(fetch("/nil")[:headers].map(&:first)).to include("x-kept").and not_include("x-nil")
  end

  it "lowers the case of names" do
    response = fetch("/capitals")
    expect([values(response, "x-capital"), values(response, "content-type")]).to eq([["Kept"], ["text/plain"]])
  end

  it "takes headers that are no Hash" do
    expect(fetch("/pairs")[:headers]).to include(%w[x-pair 1], %w[x-other 2])
  end

  it "keeps the bytes of values" do
    response = fetch("/bytes")
    expect([values(response, "x-bytes"), values(response, "x-utf8")]).to eq([["caf\u00e9"], ["caf\u00c3\u00a9"]])
  end

  it "takes a status that is a String, or unheard of" do
    expect([fetch("/status-string")[:status], fetch("/status-odd")[:status]]).to eq([201, 799])
  end

  it "keeps what is meant for the server" do
    expect(fetch("/private")[:headers].map(&:first)).to include("x-kept").and not_include("rack.session", "status")
  end

  it "drops what is about a connection" do
    names = fetch("/connection")[:headers].map(&:first)
    expect(names - %w[content-length date server x-kept]).to be_empty
    expect(names).to include("x-kept")
  end

  it "adds date and server where the app gives none" do
    # It tells seconds.
    before = Time.at(Time.now.to_i)
    response = fetch("/arrays")
    expect(Time.httpdate(values(response, "date").first)).to be_between(before, Time.now)
    expect(values(response, "server")).to eq(["hyperion-rs"])
    expect(fetch("/own")[:headers]).to include(%w[date yesterday], %w[server mine])
  end

  describe "content-length" do
    it "is put right for a body that is complete, with a warning" do
      response = fetch("/longer")
      expect([response[:body], values(response, "content-length")]).to eq(["four", ["4"]])
      server.wait_for(/content-length is 2, the body has 4 bytes/)
    end

    it "fails a body that is shorter" do
      expect(fetch("/short-each")).to include(status: 200, reset: "INTERNAL_ERROR")
      server.wait_for(%r{GET /short-each: .*the body is 6 bytes shorter than its content-length})
    end

    it "ends a body that is longer, where it should have ended" do
      expect(fetch("/long-whole")).to include(status: 200, body: "abc", reset: "NO_ERROR")
      server.wait_for(%r{GET /long-whole: .*the body is longer than its content-length})
    end

    it "fails a body that passes it within a chunk" do
      expect(fetch("/long-each")).to include(status: 200, reset: "INTERNAL_ERROR")
      server.wait_for(%r{GET /long-each: .*the body is longer than its content-length})
      expect(fetch("/long-stream")).to include(status: 200, reset: "INTERNAL_ERROR")
      server.wait_for(/content-length is 3, the body has another length/)
    end

    it "ends the stream with its last byte" do
      expect(fetch("/exact-each")).to include(body: "abcd", reset: "NO_ERROR")
      expect(frames("/exact-each").last[1]).to eq(1)
    end
  end

  {
    "/crlf" => /header "x-evil" has the byte 0x0d/, "/nul" => /header "x-evil" has the byte 0x00/,
    "/name-space" => /"x evil" is no header name/, "/name-empty" => /"" is no header name/,
    "/name-pseudo" => /":status" is no header name/, "/name-newline" => /"x-a\\nx-b" is no header name/,
    "/many-fields" => /there are more than 1000 header lines/,
    "/large-fields" => /the headers are larger than 1048576 bytes/,
    "/length-word" => /content-length must be one number, is "many"/,
    "/length-negative" => /content-length must be one number, is "-2"/,
    "/length-plus" => /content-length must be one number, is "\+2"/,
    "/length-twice" => /there is more than one content-length/,
    "/status-low" => /status must be 101 or from 200 to 999, is 99/,
    "/status-informational" => /status 101, and the client has not asked for another protocol/,
    "/status-huge" => /status must be 101 or from 200 to 999, is 1208925819614629174706176/,
    "/status-nil" => /status must be 101 or from 200 to 999, is nil/,
    "/two" => /expected \[status, headers, body\], got 2 elements/,
    "/nothing" => /expected \[status, headers, body\], got NilClass/,
    "/text" => /expected \[status, headers, body\], got String/,
    "/basic" => /expected \[status, headers, body\], got BasicObject/
  }.each do |path, line|
    it "answers 500 for #{path[1..]}, and says why" do
      expect(fetch(path)).to include(status: 500, body: "Internal Server Error", reset: "NO_ERROR")
      server.wait_for(/GET #{path}: .*#{line}/)
    end
  end
end
