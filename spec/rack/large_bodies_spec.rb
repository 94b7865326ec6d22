# frozen_string_literal: true

require "digest"
require_relative "rack_helper"

RSpec.describe "bodies of any size" do
  # Downloads of the pattern that client.js makes, in each shape; uploads are answered with their size and digest.
  app = <<~'RACKUP'
    require "digest"
    require "tempfile"
    UNIT = Array.new(65_536) { |at| (at * 31 + (at >> 8)) & 0xff }.pack("C*").freeze
    class Pattern
      def initialize(size) = @size = size
      def each
        left = @size
        while left.positive?
          yield left >= UNIT.bytesize ? UNIT : UNIT.byteslice(0, left)
          left -= UNIT.bytesize
        end
      end
    end
    class Stored
      def initialize(size)
        @file = Tempfile.new(binmode: true)
        Pattern.new(size).each { |chunk| @file.write(chunk) }
        @file.close
      end
      def to_path = @file.path
      def each = raise("not by each")
      def close = @file.unlink
    end
    run lambda { |env|
      size = env["QUERY_STRING"].to_i
      case env["PATH_INFO"]
      when "/upload"
        digest, count, buffer = Digest::SHA256.new, 0, String.new
        while env["rack.input"].read(100_000, buffer)
          digest << buffer
          count += buffer.bytesize
        end
        [200, {}, ["#{count} #{digest}"]]
      when "/array" then [200, {}, Pattern.new(size).to_enum.to_a]
      when "/each" then [200, {}, Pattern.new(size)]
      when "/length" then [200, { "content-length" => size.to_s }, Pattern.new(size)]
      when "/path" then [200, {}, Stored.new(size)]
      when "/call" then [200, {}, ->(s) { Pattern.new(size).each { |chunk| s << chunk }; s.close }]
      when "/echo"
        [200, {}, ->(s) { begin; loop { s << s.readpartial(65_536) }; rescue EOFError; s.close; end }]
      end
    }
  RACKUP

  ten_megabytes = 10 * 1024 * 1024
  sizes = [0, 1, 65_535, 65_536, ten_megabytes]

  def digest_of(size)
    unit = Array.new(65_536) { |at| ((at * 31) + (at >> 8)) & 0xff }.pack("C*")
    digest = Digest::SHA256.new
    (size / unit.bytesize).times { digest << unit }
    (digest << unit.byteslice(0, size % unit.bytesize)).hexdigest
  end

  def download(path)
    js("return exchange(session, #{path.to_json});", within: 300)
  end

  # Sends the pattern as fast as it is taken; answers the outcome.
  def upload(path, size)
    js(<<~JAVASCRIPT, within: 300)
      const stream = open(session, #{path.to_json}, { ":method": "POST" });
      Readable.from(pattern(#{size}, 65536), { objectMode: true }).pipe(stream);
      return stream.outcome;
    JAVASCRIPT
  end

  # The growth of the server's memory, in MB, over the block. What is freed may stay with the allocator once.
  def growth
    before = resident
    yield
    resident - before
  end

  describe "as configured by default" do
    serve app, lint: false

    %w[/array /each /length /path /call].product(sizes).each do |path, size|
      it "come down whole: #{size} bytes by #{path[1..]}" do
        expect(download("#{path}?#{size}")).to include(status: 200, size:, sha256: digest_of(size), reset: "NO_ERROR")
      end
    end

    sizes.each do |size|
      it "come up whole: #{size} bytes" do
        expect(upload("/upload", size)).to include(status: 200, body: "#{size} #{digest_of(size)}")
      end
    end
  end

  describe "for a reader that pauses until every buffer is full" do
    serve app, lint: false, options: { write_timeout: "600s" }

    it "come down whole" do
      size = 8 * ten_megabytes
      js(<<~JAVASCRIPT)
        globalThis.other = connect(url, { settings: { initialWindowSize: 65535 } });
        globalThis.stream = open(other, "/each?#{size}", {}, { endStream: true });
        stream.pause();
      JAVASCRIPT
      # By default it has 64 MiB on disk, after its memory.
      eventually(within: 60) { spilled == 64 << 20 }
      told = js("return stream.resume().outcome;", within: 120)
      expect(told).to include(size:, sha256: digest_of(size), reset: "NO_ERROR")
    end
  end

  describe "with streaming inputs" do
    serve app, lint: false, env: { "HYPERION_RS_REQUEST_BUFFERING" => "off" }

    sizes.each do |size|
      it "come up whole: #{size} bytes" do
        expect(upload("/upload", size)).to include(status: 200, body: "#{size} #{digest_of(size)}")
      end
    end

    it "go up and come down at once" do
      expect(upload("/echo", ten_megabytes)).to include(size: ten_megabytes, sha256: digest_of(ten_megabytes))
    end
  end

  describe "of a gigabyte" do
    gigabyte = 1024**3

    serve app, lint: false, options: { max_body_size: "2GiB" }

    before(:context) { @evaluator.evaluate(server.url, 'return exchange(session, "/each?1000000")', within: 30) }

    it "come down whole, in little memory" do
      grown = growth { expect(download("/each?#{gigabyte}")).to include(size: gigabyte, sha256: digest_of(gigabyte)) }
      expect(grown).to be < 32
    end

    it "come up whole, in little memory" do
      grown = growth do
        expect(upload("/upload", gigabyte)).to include(status: 200, body: "#{gigabyte} #{digest_of(gigabyte)}")
      end
      expect(grown).to be < 32
    end
  end
end
