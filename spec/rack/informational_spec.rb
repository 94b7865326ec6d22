# frozen_string_literal: true

require_relative "rack_helper"

RSpec.describe "informational responses" do
  app = <<~'RACKUP'
    run lambda { |env|
      hints = env["rack.early_hints"]
      case env["PATH_INFO"]
      when "/hints"
        hints.call("link" => "</style.css>; rel=preload; as=style")
        hints.call("link" => "")
        hints.call("link" => "</a.js>; rel=preload\n</b.js>; rel=preload", "x-more" => "1")
      when "/late"
        body = Enumerator.new { |yielder| yielder << "begun"; hints.call("link" => "</late.css>"); yielder << "." }
        next [200, {}, body]
      when "/many"
        6.times { |number| hints.call("link" => "</#{number}.css>") }
      when "/none"
        next [200, {}, [env.key?("rack.early_hints").to_s]]
      when "/bad"
        begin
          hints.call("link" => "a\r\nb")
        rescue ArgumentError => e
          $stderr.puts("refused: #{e.message}")
        end
      when "/upload"
        next [200, {}, [env["rack.input"].read]]
      when "/no-thanks"
        next [403, {}, ["no"]]
      end
      [200, {}, ["done"]]
    }
  RACKUP

  describe "early hints" do
    serve app, lint: false, options: { early_hints: true, log_level: "debug" }

    it "go ahead of the response, each call by itself" do
      response = fetch("/hints")
      expect(response).to include(status: 200, body: "done")
      expect(response[:informational]).to match(
        [a_hash_including(":status": 103, link: "</style.css>; rel=preload; as=style"),
         a_hash_including(":status": 103, link: "</a.js>; rel=preload, </b.js>; rel=preload", "x-more": "1")]
      )
    end

    it "are no more than clients bear" do
      links = fetch("/many")[:informational].map { |head| head[:link] }
      expect(links).to eq(%w[</0.css> </1.css> </2.css> </3.css>])
      server.wait_for(/DEBUG .* rack\.early_hints: only the first 4 of a request are sent$/)
    end

    it "are dropped after the response has begun" do
      expect(fetch("/late")).to include(status: 200, body: "begun.", informational: [], reset: "NO_ERROR")
    end

    it "with a value that cannot be sent raise in the app" do
      expect(fetch("/bad")).to include(status: 200, informational: [])
      server.wait_for(/^refused: .*header "link" has the byte 0x0d/)
    end
  end

  describe "early hints that nobody asked for" do
    serve app, lint: false

    it "are not offered" do
      expect(fetch("/none")[:body]).to eq("false")
    end
  end

  expects = { ":method" => "POST", "expect" => "100-continue" }

  def self.continues(expects)
    it "asks for the body" do
      response = js(<<~JAVASCRIPT)
        const stream = open(session, "/upload", #{expects.to_json});
        stream.on("continue", () => stream.end("wanted"));
        return stream.outcome;
      JAVASCRIPT
      expect(response).to include(status: 200, body: "wanted")
    end
  end

  describe "100-continue with buffered requests" do
    serve app
    continues expects
  end

  describe "100-continue with streaming requests" do
    serve app, env: { "HYPERION_RS_REQUEST_BUFFERING" => "off" }
    continues expects

    it "does not ask for a body that the app does not read" do
      told = js(<<~JAVASCRIPT)
        let asked = false;
        const stream = open(session, "/no-thanks", #{expects.to_json});
        stream.on("continue", () => { asked = true; });
        await until(() => stream.told.status && stream.seen().length);
        stream.close();
        return { asked, outcome: await stream.outcome };
      JAVASCRIPT
      expect(told).to match(asked: false, outcome: a_hash_including(status: 403, body: "no"))
    end
  end
end
