# frozen_string_literal: true

require_relative "rack_helper"

# There is room on disk for one of these uploads at a time.
RSpec.describe "uploads in temporary files" do
  app = <<~'RACKUP'
    GC.disable
    KEPT = []
    run lambda { |env|
      case env["PATH_INFO"]
      when "/gc"
        GC.start
        [200, {}, []]
      when "/upload"
        input = env["rack.input"]
        [200, {}, ["#{input.is_a?(File)} #{input.read.bytesize}"]]
      when "/early"
        KEPT << env["rack.input"].tap(&:close)
        [200, {}, ["closed"]]
      when "/kept"
        [200, {}, ->(stream) { KEPT << stream; stream.close_read; stream << "kept" }]
      when "/forgotten"
        [200, {}, ->(stream) { stream << "forgotten"; nil }]
      end
    }
  RACKUP

  serve app, lint: false, options: { request_buffer: "1KiB", spill_limit: "64KiB" }

  body = "x" * 49_152
  whole = { status: 200, body: "true #{body.bytesize}" }

  it "count no more when their request is over" do
    3.times { expect(fetch("/upload", { ":method" => "POST" }, body)).to include(whole) }
  end

  it "count no more when the app closes them" do
    expect(fetch("/early", { ":method" => "POST" }, body)).to include(body: "closed")
    expect(fetch("/upload", { ":method" => "POST" }, body)).to include(whole)
  end

  # Sends an upload whose stream stays, then another one; asks for a collection again and again when told so.
  def after(path, body, collect:)
    js(<<~JAVASCRIPT)
      const post = { ":method": "POST" }, body = #{body.to_json};
      const first = open(session, "#{path}", post);
      first.end(body);
      await until(() => first.seen().length > 0);
      let over = false;
      const second = exchange(session, "/upload", post, body).finally(() => { over = true; });
      while (#{collect} && !over) await exchange(session, "/gc");
      return second;
    JAVASCRIPT
  end

  it "count no more when a stream that stays open reads no further" do
    expect(after("/kept", body, collect: false)).to include(whole)
  end

  it "count no more when the stream that had them was forgotten" do
    expect(after("/forgotten", body, collect: true)).to include(whole)
    eventually { Dir.glob("/proc/#{server.pid}/fd/*").none? { |fd| link(fd).end_with?("(deleted)") } }
  end

  def link(path)
    File.readlink(path)
  rescue Errno::ENOENT
    "" # It was closed just now.
  end
end
