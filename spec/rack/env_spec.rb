# frozen_string_literal: true

require_relative "rack_helper"

RSpec.describe "the Rack environment" do
  # Tells the env: strings byte for byte, anything else by its class.
  app = <<~'RACKUP'
    require "json"
    KEPT = []
    tell = lambda { |value|
      case value
      when String then value.b.encode("UTF-8", "ISO-8859-1")
      when true, false, nil, Array, Hash then value
      else "a #{value.class}"
      end
    }
    run lambda { |env|
      KEPT << env
      told = env["PATH_INFO"] == "/kept" ? KEPT.first : env
      body = JSON.generate(told.transform_values(&tell).merge("headers" => env.keys.grep(/\A[A-Z]/)))
      [200, { "content-type" => "application/json" }, [body]]
    }
  RACKUP

  rack = Gem::Version.new(Rack.release)

  def env_of(path, headers = {}, body = nil)
    JSON.parse(fetch(path, headers, body)[:body].encode(Encoding::ISO_8859_1).force_encoding(Encoding::UTF_8))
  end

  context "with TLS" do
    serve app

    it "has each key of a request" do
      expect(env_of("/a%20b/%C3%A9?x=1&y=%26")).to include(
        "REQUEST_METHOD" => "GET", "SCRIPT_NAME" => "", "PATH_INFO" => "/a%20b/%C3%A9", "QUERY_STRING" => "x=1&y=%26",
        "REQUEST_URI" => "/a%20b/%C3%A9?x=1&y=%26", "SERVER_NAME" => "127.0.0.1", "SERVER_PORT" => server.port.to_s,
        "SERVER_PROTOCOL" => "HTTP/2", "HTTP_HOST" => "127.0.0.1:#{server.port}", "REMOTE_ADDR" => "127.0.0.1",
        "SERVER_SOFTWARE" => "hyperion-rs/#{HyperionRs::VERSION}", "HTTPS" => "on", "rack.url_scheme" => "https",
        "rack.response_finished" => []
      )
    end

    it "has the objects that Rack wants" do
      env = env_of("/")
      expect(env.values_at("rack.input", "rack.errors")).to all(start_with("a Rack::Lint::"))
      expect(env).not_to have_key("rack.early_hints")
      expect(env.key?("rack.version")).to be(rack < Gem::Version.new("3"))
      expect(env).to include("rack.hijack?" => true, "rack.hijack" => /Proc|Hijack/)
    end

    it "has an empty query where there is none" do
      expect(env_of("/")).to include("QUERY_STRING" => "", "REQUEST_URI" => "/")
    end

    it "takes the port of the scheme where the authority has none" do
      expect(env_of("/", ":authority" => "example.test"))
        .to include("SERVER_NAME" => "example.test", "SERVER_PORT" => "443", "HTTP_HOST" => "example.test")
    end

    it "takes an IPv6 address with its brackets" do
      expect(env_of("/", ":authority" => "[::1]:8443"))
        .to include("SERVER_NAME" => "[::1]", "SERVER_PORT" => "8443", "HTTP_HOST" => "[::1]:8443")
      expect(env_of("/", ":authority" => "[::1]")).to include("SERVER_NAME" => "[::1]", "SERVER_PORT" => "443")
    end

    it "knows any method" do
      expect(%w[PUT DELETE PATCH PROPFIND].map { |name| env_of("/", ":method" => name)["REQUEST_METHOD"] })
        .to eq(%w[PUT DELETE PATCH PROPFIND])
    end

    it "tells OPTIONS * as this Rack wants it" do
      expect(env_of("*", ":method" => "OPTIONS"))
        .to include("REQUEST_URI" => "*", "PATH_INFO" => rack < Gem::Version.new("3.1") ? "" : "*")
    end

    it "has CONTENT_TYPE and CONTENT_LENGTH without twins" do
      env = env_of("/", { ":method" => "POST", "content-type" => "text/plain", "content-length" => "3" }, "abc")
      expect(env).to include("CONTENT_TYPE" => "text/plain", "CONTENT_LENGTH" => "3")
      expect(env.keys & %w[HTTP_CONTENT_TYPE HTTP_CONTENT_LENGTH]).to be_empty
    end

    it "adds CONTENT_LENGTH for a buffered body without one" do
      expect(env_of("/", { ":method" => "POST" }, "abcd")).to include("CONTENT_LENGTH" => "4")
      expect(env_of("/")).not_to have_key("CONTENT_LENGTH")
    end

    it "joins cookie crumbs with semicolons and other repeats with commas" do
      env = env_of("/", "cookie" => %w[a=1 b=2 c=3], "x-seen" => %w[one two])
      expect(env).to include("HTTP_COOKIE" => "a=1; b=2; c=3", "HTTP_X_SEEN" => "one, two")
    end

    it "keeps values byte for byte" do
      value = (0x80..0xff).map(&:chr).join.b
      expect(env_of("/", "x-bytes" => value)["HTTP_X_BYTES"])
        .to eq(value.encode(Encoding::UTF_8, Encoding::ISO_8859_1))
    end

    it "keeps HTTP_VERSION of Rack 2 for the protocol" do
      expect(env_of("/", "version" => "6.6")["HTTP_VERSION"]).to eq(rack < Gem::Version.new("3") ? "HTTP/2" : "6.6")
    end

    it "hides names with underscores, and Proxy" do
      env = env_of("/", "x_forwarded_for" => "6.6.6.6", "x-forwarded-for" => "1.2.3.4", "proxy" => "http://evil.test")
      expect(env["headers"].grep(/FORWARDED|PROXY/)).to eq(["HTTP_X_FORWARDED_FOR"])
      expect(env["HTTP_X_FORWARDED_FOR"]).to eq("1.2.3.4")
    end

    it "keeps trailers out of the headers, and offers them apart" do
      response = js(<<~JAVASCRIPT)
        const stream = open(session, "/", { ":method": "POST", trailer: "x-sum" }, { waitForTrailers: true });
        stream.on("wantTrailers", () => stream.sendTrailers({ "x-sum": "7", authorization: "stolen" }));
        stream.end("body");
        return stream.outcome;
      JAVASCRIPT
      env = JSON.parse(response[:body])
      expect(env["headers"].grep(/SUM|AUTHORIZATION/)).to be_empty
      expect(env["hyperion_rs.trailers"]).to eq("x-sum" => "7", "authorization" => "stolen")
    end

    it "is the app's own for ever" do
      first = env_of("/kept", "authorization" => "first")
      100.times.each_slice(25) { |numbers| js("return Promise.all(#{numbers}.map((n) => exchange(session, '/' + n)))") }
      later = env_of("/kept", "authorization" => "later")
      own = ->(env) { env.reject { |key, _| ["headers", "rack.input"].include?(key) || key.start_with?("rack.lint") } }
      expect(own.call(later)).to eq(own.call(first))
    end

    it "has the fields of its own request, however alike the others are" do
      names = ("a".."e").map { |letter| "x-#{letter}" }
      # More sets of fields than are remembered, each of them several times.
      sets = ((1..names.size).flat_map { |size| names.combination(size).to_a } * 3).shuffle(random: Random.new(1))
      seen = js(<<~JAVASCRIPT).map { |body| JSON.parse(body).select { |key, _| key.match?(/\AHTTP_X_[A-E]\z/) } }
        const sets = #{sets.to_json};
        const fields = (set, round) => Object.fromEntries(set.map(name => [name, `${name} of ${round}`]));
        const asked = sets.map((set, round) => exchange(session, "/", fields(set, round)));
        return (await Promise.all(asked)).map(answer => answer.body);
      JAVASCRIPT
      sent = sets.each_with_index.map do |set, round|
        set.to_h { |name| [name.upcase.tr("-", "_").prepend("HTTP_"), "#{name} of #{round}"] }
      end
      expect(seen).to eq(sent)
    end

    it "takes more field names than it remembers" do
      names = (1..700).map { |number| "x-invented-#{number}" }
      names.each_slice(100) do |slice|
        env = env_of("/", slice.to_h { |name| [name, name] })
        expect(env.values_at(*slice.map { |name| "HTTP_#{name.upcase.tr('-', '_')}" })).to eq(slice)
      end
    end
  end

  context "with an app that spoils whatever it gets hold of" do
    serve <<~'RACKUP', lint: false
      require "json"
      run lambda { |env|
        told = JSON.generate(env.select { |_, value| value.is_a?(String) }.to_a << env["nothing"])
        ObjectSpace.each_object(Hash).select { |hash| hash.key?("REQUEST_METHOD") }.each do |hash|
          hash.each_value { |value| value << "spoilt" if value.is_a?(String) && !value.frozen? }
          hash.shift
          hash.default = "spoilt"
          hash.compare_by_identity
        rescue FrozenError
          next
        end
        [200, {}, [told]]
      }
    RACKUP

    it "is whole for the next one" do
      told = Array.new(4) { JSON.parse(fetch("/path?query", "x-some" => "thing")[:body]) }
      expect(told.first).to include(%w[REQUEST_METHOD GET], %w[PATH_INFO /path], %w[HTTP_X_SOME thing])
      expect(told.first.last).to be_nil
      expect(told).to all(eq(told.first))
    end
  end

  context "without TLS" do
    serve app, tls: false

    it "says http, and 80 for the port" do
      env = env_of("/", ":authority" => "example.test")
      expect(env).to include("rack.url_scheme" => "http", "SERVER_PORT" => "80")
      expect(env).not_to have_key("HTTPS")
    end
  end

  context "on an IPv6 address" do
    serve app, tls: false, arguments: ["-o", "::1", "-p", "0"]

    it "tells the peer's address" do
      # Node forgets the brackets.
      env = env_of("/", ":authority" => "[::1]:#{server.port}")
      expect(env).to include("REMOTE_ADDR" => "::1", "SERVER_NAME" => "[::1]")
    end
  end

  context "with streaming inputs" do
    serve app, env: { "HYPERION_RS_REQUEST_BUFFERING" => "off" }

    it "passes Lint, and adds no CONTENT_LENGTH" do
      env = env_of("/", { ":method" => "POST" }, "abc")
      expect(env["rack.input"]).to start_with("a Rack::Lint::")
      expect(env).not_to have_key("CONTENT_LENGTH")
    end
  end
end
