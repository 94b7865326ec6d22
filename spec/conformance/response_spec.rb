# frozen_string_literal: true

require_relative "conformance_helper"

# Each example is a sentence of the Rack SPEC (docs/conformance.md).
RSpec.describe "the Rack SPEC on the response" do
  rack = Rack.release.to_i
  file = File.binread(ConformanceHelper::APP)

  on_each_transport(early_hints: true) do
    def answer(name, *arguments)
      ask("/answer/#{name}", *arguments)
    end

    # The values of `name`, a header that the server adds to no response by itself.
    def header(name, status)
      answer(status)[name]
    end

    describe "the status" do
      it "is an HTTP status, greater than or equal to 100" do
        expect([200, 201, 299, 301, 404, 418, 500, 599].map { |status| answer(status).status })
          .to eq([200, 201, 299, 301, 404, 418, 500, 599])
      end

      if rack == 2
        it "is parsed as integer (to_i)" do
          expect(answer("text-201").status).to eq(201)
        end
      end

      it "204 and 304 have neither a Content-Type nor a Content-Length" do
        [204, 304].each do |status|
          expect(answer(status)).to have_attributes(status:, body: "")
          expect(header("content-type", status) + header("content-length", status)).to be_empty
        end
      end
    end

    describe "the headers" do
      it "starting rack. are for communicating with the server, and must not be sent back to the client" do
        expect(answer("private").headers.map(&:first)).not_to include("rack.anything")
      end

      it "may have any name that is a token, and values without control characters" do
        expect(answer("symbols")["!#$%&'*+-.^_`|~09az"]).to eq(["x y; \"\u00e9\""])
      end

      it "may have multiple values, as lines or in an Array" do
        expect(answer(rack == 2 ? "newlines" : "arrays")["set-cookie"]).to eq(%w[a=1 b=2])
      end

      if rack == 2
        it "must respond to each, and yield values of key and value" do
          expect(answer("pairs")["x-pair"]).to eq(["1"])
        end
      end
    end

    describe "the body" do
      { "an Array of String values" => %w[array abc], "an empty Array" => ["empty", ""],
        "an enumerable that yields String values" => %w[enumerator ab], "an IO-like object" => ["io", file],
        "a StringIO" => ["string-io", "line 1\nline 2\n"] }.each do |what, (name, body)|
        it("may be #{what}") { expect(answer(name)).to have_attributes(status: 200, body:) }
      end

      it "must respond to each and must only yield String values" do
        expect(answer("each").body).to eq("ab")
        expect(answer("binary").body).to eq("\xFF\0\u00e9".b)
      end

      it "that responds to to_ary may be taken as the Array" do
        expect(answer("to_ary").body).to eq("ab")
      end

      it "that responds to to_path returns nil or the path of a file whose contents are identical" do
        expect(answer("to_path").body).to eq(file)
        expect(answer("no-path").body).to eq("no path") if rack == 3
      end

      it "that responds to close has it called after iteration, once" do
        %w[each to_ary to_path length].each do |name|
          answer(name)
          server.wait_for(/^#{name}: closed$/)
        end
        expect(%w[each to_path length].flat_map { |name| told(name) }.uniq).to eq(["closed"])
      end

      it "must have the length that content-length says" do
        expect(answer("length")).to have_attributes(body: "ab").and(satisfy { |it| it["content-length"] == ["2"] })
      end

      it "must be empty for a HEAD request, and is closed" do
        response = answer("head", "--head")
        expect([response.status, response.body, response["content-length"]]).to eq([200, "", ["1234"]])
        server.wait_for(/^head: closed$/)
      end

      if rack == 3
        it "that responds to both each and call must be treated as an Enumerable Body" do
          expect(answer("both").body).to eq("each")
          expect(told("both")).not_to include("called")
        end
      end
    end

    if rack == 3
      describe "the stream of a Streaming Body" do
        { "write" => "written again [8, 6]", "append" => "a b []", "flush" => "[nil]", "closed" => "[false]",
          "close-read" => "still [nil, false, 6]", "close-write" => "all" }.each do |name, body|
          it("responds to #{name.tr('-', '_')} as an IO does") { expect(answer("stream-#{name}").body).to eq(body) }
        end

        it "responds to read as an IO does" do
          expect(post("/answer/stream-read", "abcdef").body).to eq(["abc", "def", nil, ""].inspect)
        end

        it "raises standard exceptions after close" do
          expect(answer("stream-close").body).to eq("all")
          server.wait_for(/^stream-close: refused by IOError$/)
          expect(told("stream-close")).to eq(["closed true", "refused by IOError"])
        end
      end

      it "The hijack callback of a rack.hijack header is called with a stream; servers must ignore the body" do
        expect(answer("partial").body).to eq("by hand")
      end
    end

    it "rack.early_hints is called with valid Rack response headers, to send early hints" do
      expect(ask("/hints")).to have_attributes(status: 200, body: "hinted")
    end

    it "The callables of rack.response_finished are called with env, status, headers, error, in reverse order" do
      ask("/finished")
      server.wait_for(%r{^finished second: \[4, "/finished", 200, "1", nil\].*^finished first: \[4, "/finished", 200,}m)
    end

    it "It could also be called if an error occurs: then error will be a kind of Exception" do
      expect(ask("/finished/raise").status).to eq(500)
      server.wait_for(%r{^finished first: \[4, "/finished/raise", nil, nil, RuntimeError\]$})
    end
  end
end
