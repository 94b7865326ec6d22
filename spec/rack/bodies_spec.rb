# frozen_string_literal: true

require_relative "rack_helper"

RSpec.describe "response bodies" do
  # A body of each shape, by path; each says on stderr when it is closed, with the query of its request.
  app = <<~'RACKUP'
    FILE = File.join(__dir__, "file.bin").tap { |path| File.binwrite(path, "0123456789" * 30_000) }
    FIFO = File.join(__dir__, "fifo").tap { |path| File.mkfifo(path) }
    class Body
      def initialize(*chunks) = @chunks = chunks
      def each(&block) = @chunks.each(&block)
      def close = $stderr.puts("closed #{Thread.current[:query]}")
    end
    class Whole < Body
      # Rack 3 has to_ary close the body.
      def to_ary = @chunks.tap { close if Rack.release >= "3" }
    end
    # As ActionDispatch::Response::RackBody of Rails 6.1 answers for a stream.
    class NoArray < Body
      def to_ary = nil
    end
    class Path < Body
      def to_path = FILE
    end
    class GonePath < Body
      def to_path = "/nonexistent"
    end
    class FifoPath < Body
      def to_path = FIFO
    end
    class NilPath < Body
      def to_path = nil
    end
    bodies = {
      "/array" => -> { ["a", "b", "c"] },
      "/empty" => -> { [] },
      "/empty-strings" => -> { ["", ""] },
      "/each" => -> { Body.new("x", "", "y") },
      "/to_ary" => -> { Whole.new("p", "q") },
      "/no_array" => -> { NoArray.new("r", "s") },
      "/path" => -> { Path.new("never") },
      "/gone_path" => -> { GonePath.new("in", "stead") },
      "/fifo_path" => -> { FifoPath.new("in", "stead") },
      "/nil_path" => -> { NilPath.new("in", "stead") },
      "/enumerator" => -> { Enumerator.new { |yielder| 3.times { |number| yielder << number.to_s } } },
      "/lazy" => -> { (1..Float::INFINITY).lazy.map { |number| "#{number}," }.first(5).lazy },
      "/fiber" => -> { produced = Enumerator.new { |y| 3.times { |n| y << "f#{n}" } }
                       Enumerator.new { |y| loop { y << produced.next } } },
      "/proxy" => -> { Rack::BodyProxy.new(["proxied"]) { $stderr.puts "closed #{Thread.current[:query]}" } },
      "/nothing" => -> { Object.new },
      "/symbols" => -> { [:no, :strings] },
      "/integer-chunks" => -> { Body.new(1, 2) },
      "/many" => -> { Array.new(3_000) { |number| "#{number} " * 50 } },
      "/frozen" => -> { ["frozen".freeze].freeze },
      "/utf8" => -> { ["caf\u00e9"] }
    }
    run lambda { |env|
      Thread.current[:query] = env["QUERY_STRING"]
      status = (env["QUERY_STRING"][/\d+/] || 200).to_i
      headers = [204, 304].include?(status) ? {} : { "content-type" => "text/plain" }
      [status, headers, bodies.fetch(env["PATH_INFO"]).call]
    }
  RACKUP

  serve app, lint: false

  def self.sends(path, body, description = "sends #{path}")
    it(description) { expect(fetch(path)).to include(status: 200, body:, reset: "NO_ERROR") }
  end

  sends "/array", "abc"
  sends "/empty", ""
  sends "/empty-strings", ""
  sends "/each", "xy"
  sends "/to_ary", "pq"
  sends "/no_array", "rs", "iterates a body whose to_ary answers nil"
  sends "/gone_path", "instead", "iterates a body whose file cannot be opened"
  sends "/fifo_path", "instead", "iterates a body whose path is no regular file"
  sends "/nil_path", "instead", "iterates a body whose to_path answers nil"
  sends "/enumerator", "012"
  sends "/lazy", "1,2,3,4,5,"
  sends "/fiber", "f0f1f2", "iterates an enumerator that runs in a fiber"
  sends "/frozen", "frozen"
  sends "/utf8", "caf\u00c3\u00a9"

  it "sends a file by its path, without reading it in Ruby" do
    response = fetch("/path")
    expect(response).to include(size: 300_000, sha256: Digest::SHA256.hexdigest("0123456789" * 30_000))
    expect(values(response, "content-length")).to eq(["300000"])
  end

  it "sends an Array that is larger than a message" do
    body = Array.new(3_000) { |number| "#{number} " * 50 }.join
    response = fetch("/many")
    expect(response).to include(size: body.bytesize, sha256: Digest::SHA256.hexdigest(body))
    expect(values(response, "content-length")).to eq([body.bytesize.to_s])
  end

  it "tells the length of a body that is complete" do
    expect(%w[/array /to_ary /empty].map { |path| values(fetch(path), "content-length") }).to eq([["3"], ["2"], ["0"]])
    expect(values(fetch("/each"), "content-length")).to be_empty
  end

  %w[/each /to_ary /no_array /path /gone_path /proxy].each do |path|
    it "closes #{path} once, however it was sent" do
      queries = %w[once then again].map { |word| "#{word}-#{path.delete('/')}" }
      queries.each { |query| fetch("#{path}?#{query}") }
      eventually { queries.all? { |query| closings(query).positive? } }
      fetch("/array")
      expect(queries.map { |query| closings(query) }).to eq([1, 1, 1])
    end
  end

  def closings(query)
    server.err.scan(/^closed #{query}$/).size
  end

  it "sends the body of a Rack::BodyProxy" do
    expect(fetch("/proxy")[:body]).to eq("proxied")
  end

  { "/nothing" => /is no body: it has neither each nor call/, "/symbols" => /a body yields Strings, not :no/ }
    .each do |path, line|
      it "answers 500 for #{path}, and says why" do
        expect(fetch(path)).to include(status: 500, body: "Internal Server Error")
        server.wait_for(/GET #{path}: .*#{line}/)
      end
    end

  it "fails a body that yields something else than Strings, and says why" do
    expect(fetch("/integer-chunks")[:reset]).to eq("INTERNAL_ERROR")
    server.wait_for(%r{GET /integer-chunks: .*no implicit conversion of Integer into String})
  end

  describe "where none is allowed" do
    %w[/array /each /path /to_ary].product([204, 304]).each do |path, status|
      it "sends nothing of #{path} with #{status}" do
        expect(fetch("#{path}?#{status}")).to include(status:, body: "", ended_with_headers: true)
      end
    end

    %w[/array /each /path /to_ary].each do |path|
      it "sends nothing of #{path} in answer to HEAD" do
        expect(fetch(path, ":method" => "HEAD")).to include(status: 200, body: "", ended_with_headers: true)
      end
    end

    it "tells the length in answer to HEAD, where it is known" do
      lengths = %w[/array /to_ary /no_array /each /empty /array?304].map do |path|
        values(fetch(path, ":method" => "HEAD"), "content-length")
      end
      expect(lengths).to eq([["3"], ["2"], [], [], [], []])
    end

    it "answers 500 to HEAD where it does so to GET" do
      expect(fetch("/symbols", ":method" => "HEAD")).to include(status: 500, body: "", ended_with_headers: true)
    end
  end

  describe "END_STREAM" do
    end_stream = 1

    it "comes with the last DATA" do
      expect(frames("/array").last).to eq(["DATA", end_stream, 3])
      expect(frames("/to_ary").map(&:first)).to eq(%w[HEADERS DATA])
      expect(frames("/path").last.first(2)).to eq(["DATA", end_stream])
      expect(frames("/path").last.last).to be_positive
    end

    it "comes with the head of an empty body" do
      %w[/empty /empty-strings /array?204 /array?304].each do |path|
        expect(frames(path).map { |type, flags,| [type, flags & end_stream] }).to eq([["HEADERS", end_stream]])
      end
    end

    it "comes with the head in answer to HEAD" do
      expect(frames("/array", "-H", ":method: HEAD").map { |type, flags,| [type, flags & end_stream] })
        .to eq([["HEADERS", end_stream]])
    end

    it "comes once for a body in chunks" do
      seen = frames("/each")
      expect(seen.count { |_, flags,| flags.anybits?(end_stream) }).to eq(1)
      expect(seen.last[1] & end_stream).to eq(end_stream)
    end
  end
end
