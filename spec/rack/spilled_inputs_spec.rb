# frozen_string_literal: true

require_relative "rack_helper"

# There is room on disk for one of these uploads at a time.
RSpec.describe "uploads in temporary files" do
  app = <<~'RACKUP'
    GC.disable
    KEPT = []
    run lambda { |env|
      case env["PATH_INFO"]
      when "/upload"
        input = env["rack.input"]
        [200, {}, ["#{input.is_a?(File)} #{input.read.bytesize}"]]
      when "/early"
        KEPT << env["rack.input"].tap(&:close)
        [200, {}, ["closed"]]
      when "/kept"
        [200, {}, ->(stream) { KEPT << stream; stream.close_read; stream << "kept" }]
      end
    }
  RACKUP

  forgetful = <<~'RACKUP'
    # Not in a request: the stack of one may still hold what the one before left there.
    Thread.new { loop { sleep 0.05; GC.start } }
    run lambda { |env|
      case env["PATH_INFO"]
      when "/upload"
        input = env["rack.input"]
        [200, {}, ["#{input.is_a?(File)} #{input.read.bytesize}"]]
      when "/forgotten"
        [200, {}, ->(stream) { stream << "forgotten"; nil }]
      end
    }
  RACKUP

  options = { request_buffer: "1KiB", spill_limit: "64KiB" }
  body = "x" * 49_152
  whole = { status: 200, body: "true #{body.bytesize}" }

  # Sends an upload whose stream stays, then another one.
  def after(path, body)
    js(<<~JAVASCRIPT)
      const post = { ":method": "POST" }, body = #{body.to_json};
      const first = open(session, "#{path}", post);
      first.end(body);
      await until(() => first.seen().length > 0);
      return exchange(session, "/upload", post, body);
    JAVASCRIPT
  end

  context "when nothing is collected" do
    serve app, lint: false, options: options

    it "count no more when their request is over" do
      3.times { expect(fetch("/upload", { ":method" => "POST" }, body)).to include(whole) }
    end

    it "count no more when the app closes them" do
      expect(fetch("/early", { ":method" => "POST" }, body)).to include(body: "closed")
      expect(fetch("/upload", { ":method" => "POST" }, body)).to include(whole)
    end

    it "count no more when a stream that stays open reads no further" do
      expect(after("/kept", body)).to include(whole)
    end
  end

  context "when their stream was forgotten" do
    serve forgetful, lint: false, options: options

    it "count no more once it is collected" do
      expect(after("/forgotten", body)).to include(whole)
      eventually { Dir.glob("/proc/#{server.pid}/fd/*").none? { |fd| link(fd).end_with?("(deleted)") } }
    end
  end

  def link(path)
    File.readlink(path)
  rescue Errno::ENOENT
    "" # It was closed just now.
  end
end
