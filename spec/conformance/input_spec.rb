# frozen_string_literal: true

require_relative "conformance_helper"

# Each example is a sentence of the Rack SPEC (docs/conformance.md).
RSpec.describe "the Rack SPEC on the input stream" do
  on_each_transport(request_buffer: 1024) do
    { "without a body" => "",
      "with a body in memory" => "line 1\nline 2\nrest",
      "with a body on disk" => "line 1\nline 2\n#{'x' * 100_000}",
      "with a body that is read as it comes" => "line 1\nline 2\n#{'y' * 100_000}" }.each do |what, body|
      context what do
        fields = ["content-type: text/plain"]
        fields = ["content-type: application/grpc", "te: trailers"] if what.include?("comes")

        define_method(:input) do |action|
          response = body.empty? ? ask("/input/#{action}") : post("/input/#{action}", body, *fields)
          expect(response.status).to eq(200), server.err
          JSON.parse(response.body)
        end

        it "gets must be called without arguments and return a string, or nil on EOF" do
          lines = body.empty? ? [nil, nil] : ["line 1\n", "line 2\n"]
          expect(input("gets")).to eq([*lines, nil, nil])
        end

        it "If length is not given or nil, then read reads all data until EOF; at EOF it returns \"\"" do
          expect(input("read")).to eq([body, "", ""])
        end

        it "If length is given and not nil, then read reads at most length bytes; at EOF it returns nil" do
          rest = body.bytesize - 3 unless body.empty?
          expect(input("read-length")).to eq([body.empty? ? nil : body[0, 3], rest, nil])
        end

        it "length must be a non-negative Integer (>= 0)" do
          expect(input("read-zero")).to eq(["", body.bytesize])
        end

        it "If buffer is given, then the read data will be placed into buffer instead of a new String" do
          first = body.empty? ? [false, ""] : [true, body[0, 4]]
          expect(input("read-buffer")).to eq([*first, [body.bytesize - 4, 0].max, nil, ""])
        end

        it "each must be called without arguments and only yield String values" do
          expect(input("each")).to eq([body, true])
        end

        it "read behaves like IO#read of a stream in binary mode" do
          expect(input("encoding")).to eq(["ASCII-8BIT"])
        end

        if Rack.release >= "3"
          it "close can be called on the input stream to indicate that any remaining input is not needed" do
            expect(input("close")).to eq([body[0], nil])
            expect(ask("/answer/array").body).to eq("abc")
          end
        elsif what.include?("comes")
          it "rewind must not raise Errno::ESPIPE; but what was not kept cannot be read again" do
            expect(post("/input/rewind", body, *fields).status).to eq(500)
            server.wait_for(/only a buffered request body can be read again/)
          end
        else
          it "rewind rewinds the input stream back to the beginning" do
            first = body.empty? ? nil : body[0, 3]
            expect(input("rewind")).to match([first, anything, body, anything, body.lines.first])
          end
        end
      end
    end

    it "puts, write and flush make the error appear for sure" do
      expect(ask("/errors").status).to eq(200)
      server.wait_for(/^a_symbol\nwritten$/)
    end
  end
end
