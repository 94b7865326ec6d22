# frozen_string_literal: true

require "digest"
require_relative "rack_helper"

RSpec.describe "the garbage collector" do
  # Collects at every allocation of the server's from the first request to "/stress" on, until "/relax".
  app = <<~'RACKUP'
    require "digest"
    run lambda { |env|
      input = env["rack.input"]
      case env["PATH_INFO"]
      when "/stress" then GC.stress = true
      when "/relax" then GC.stress = false
      when "/compact"
        GC.compact
        # The name of the argument changed with Ruby 3.2.
        room = RUBY_VERSION < "3.2" ? :double_heap : :expand_heap
        GC.verify_compaction_references(toward: :empty, room => true)
      when "/env"
        next [200, { "x-seen" => env["HTTP_X_SEEN"], "set-cookie" => %w[a=1 b=2], "x-lines" => "1\n2" },
              [env.keys.grep(/\AHTTP_X/).sort.join(","), "|", env["PATH_INFO"]]]
      when "/upload" then next [200, {}, [Digest::SHA256.hexdigest(input.read)]]
      when "/each" then next [200, {}, Enumerator.new { |y| 20.times { |n| y << "chunk #{n} " } }]
      when "/call" then next [200, {}, ->(s) { s << s.read; 5.times { |n| s << n.to_s }; s.close }]
      when "/hints" then env["rack.early_hints"].call("link" => "</a>", "x-b" => "1")
      when "/finished" then env["rack.response_finished"] << ->(*given) { $stderr.puts "finished #{given[1]}" }
      when "/trailers"
        body = Enumerator.new { |y| y << "a" }
        def body.trailers = { "x-t" => "1" }
        next [200, {}, body]
      when "/hijack"
        env["rack.hijack"].call.tap { |io| io << "HTTP/1.1 200 OK\r\n\r\nby hand" }.close
        env["rack.response_finished"] << ->(*given) { $stderr.puts "finished #{given.size}" }
      when "/partial" then next [200, { "rack.hijack" => ->(io) { io << "by hand"; io.close } }, []]
      when "/error" then raise "stressed"
      end
      [200, {}, ["done"]]
    }
  RACKUP

  streaming = { "HYPERION_RS_REQUEST_BUFFERING" => "off" }
  expectations = {
    "/env" => { status: 200, body: "HTTP_X_OTHER,HTTP_X_SEEN|/env" },
    "/upload" => { status: 200, body: Digest::SHA256.hexdigest("b" * 3_000) },
    "/each" => { status: 200, body: Array.new(20) { |number| "chunk #{number} " }.join },
    "/call" => { status: 200, body: "#{'b' * 3_000}01234" }, "/hints" => { status: 200, body: "done" },
    "/finished" => { status: 200, body: "done" }, "/trailers" => { status: 200, trailers: { "x-t": "1" } },
    "/hijack" => { status: 200, body: "by hand" }, "/partial" => { status: 200, body: "by hand" },
    "/error" => { status: 500 }
  }

  def ask(path, times)
    js(<<~JAVASCRIPT, within: 300)
      const headers = { ":method": "POST", "x-seen": "yes", "x-other": ["1", "2"] };
      const asked = Array.from({ length: #{times} }, () => exchange(session, #{path.to_json}, headers, "b".repeat(3000)));
      return Promise.all(asked);
    JAVASCRIPT
  end

  { "buffered" => {}, "streaming" => streaming }.each do |kind, env|
    describe "with #{kind} requests" do
      serve(app, lint: false, tls: false, options: { early_hints: true }, env:)

      expectations.each do |path, expected|
        it "finds nothing amiss in #{path} when it runs all the time" do
          fetch("/stress")
          expect(ask(path, 6)).to all(include(expected))
        ensure
          ask("/relax", 1)
        end
      end

      it "may move whatever it likes" do
        expectations.each_key { |path| ask(path, 3) }
        expect(fetch("/compact")).to include(status: 200)
        expectations.each { |path, expected| expect(ask(path, 3)).to all(include(expected)) }
      end
    end
  end
end
