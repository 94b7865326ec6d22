# frozen_string_literal: true

require_relative "http1_helper"

RSpec.describe "HTTP/1.1" do
  app = <<~'RACKUP'
    require "digest"
    # What is short and made before the head leaves gets a length after all.
    class Long
      def each
        3.times { |number| yield number.to_s * 30_000 }
      end
    end
    digest = lambda { |input|
      sum = Digest::SHA256.new
      while (chunk = input.read(65_536)) do sum << chunk end
      sum.hexdigest
    }
    run(lambda { |env|
      text = { "content-type" => "text/plain" }
      case env["PATH_INFO"]
      when "/env" then [200, text, [env.select { |_, value| value.is_a?(String) }.map { |pair| pair.join("=") }.join("\n")]]
      when "/digest" then [200, text, [digest.call(env["rack.input"])]]
      when "/each" then [200, text, Long.new]
      when "/trailers"
        trailers = env["hyperion_rs.trailers"]
        [200, text, [trailers.inspect]]
      when "/sized" then [200, text.merge("content-length" => "5"), env["REQUEST_METHOD"] == "HEAD" ? [] : ["hello"]]
      when "/coded" then [200, text.merge("transfer-encoding" => "chunked"), ["3\r\nabc\r\n", "0\r\n\r\n"].each]
      when "/none" then [204, {}, []]
      when "/fail" then raise "on purpose"
      when "/large" then [200, text, ["x" * 3_000_000]]
      else [200, text, ["hello"]]
      end
    })
  RACKUP
  serve app, options: { max_body_size: "8MiB" }

  # Seconds for which curl holds a large body back until it is asked for.
  expectant = %w[--expect100-timeout 30]

  def env_of(*arguments, **options)
    curl("/env", *arguments, **options).body.lines(chomp: true).to_h { |line| line.split("=", 2) }
  end

  it "tells the app what was sent" do
    env = env_of("-H", "Upgrade: something", "-H", "X_Forwarded_For: evil", "-H", "X-A: 1", "-H", "X-A: 2",
                 "-H", "Accept:")
    expect(env).to include("SERVER_PROTOCOL" => "HTTP/1.1", "HTTP_HOST" => "127.0.0.1:#{server.port}",
                           "HTTP_UPGRADE" => "something", "HTTP_X_A" => "1, 2", "rack.url_scheme" => "https",
                           "REQUEST_METHOD" => "GET", "HTTPS" => "on")
    expect(env.keys).not_to include("HTTP_X_FORWARDED_FOR", "HTTP_TRANSFER_ENCODING", "HTTP_ACCEPT")
  end

  it "serves HTTP/1.0, also without a host" do
    response = curl("/env", "-H", "Host:", http: "1.0")
    expect(response.protocol).to eq("HTTP/1.0")
    expect(response.body).to include("SERVER_PROTOCOL=HTTP/1.0", "SERVER_NAME=localhost").and not_include("HTTP_HOST")
  end

  it "frames responses by length, and by chunks when there is none" do
    whole = curl("/sized")
    expect([whole.status, whole.headers["content-length"], whole.body]).to eq([200, "5", "hello"])
    expect(whole.headers).to include("date", "server").and not_include("connection")
    # How many chunks there are depends on who is faster.
    pieces = curl("/each", "--raw")
    expect(pieces.headers["transfer-encoding"]).to eq("chunked")
    expect(pieces.body).to end_with("\r\n0\r\n\r\n")
    expect(curl("/each").body).to eq(%w[0 1 2].map { |digit| digit * 30_000 }.join)
    expect(curl("/large").body.bytesize).to eq(3_000_000)
    expect([curl("/none").status, curl("/fail").status]).to eq([204, 500])
    expect(curl("/sized", "-I").headers).to include("content-length" => "5")
  end

  it "sends a body that the app has chunked by itself as what it is, over both protocols" do
    expect(curl("/coded").body).to eq("abc")
    expect(curl("/coded", http: "2").body).to eq("abc")
  end

  it "takes bodies with a length and in chunks" do
    file = File.join(Dir.mktmpdir, "body")
    File.binwrite(file, Random.new(1).bytes(3_000_000))
    sum = Digest::SHA256.file(file).hexdigest
    by_length = curl("/digest", "--data-binary", "@#{file}", *expectant)
    expect([by_length.informational, by_length.body]).to eq([[100], sum])
    chunked = curl("/digest", "-X", "POST", "-H", "Transfer-Encoding: chunked", "--data-binary", "@#{file}")
    expect(chunked.body).to eq(sum)
  end

  it "refuses a body that is too large before it comes" do
    file = File.join(Dir.mktmpdir, "body")
    File.binwrite(file, "x" * 9_000_000)
    response = curl("/digest", "--data-binary", "@#{file}", *expectant)
    expect([response.status, response.informational, response.headers["connection"]]).to eq([413, [], "close"])
    # Without asking first, the client is in the middle of it.
    response = curl("/digest", "-H", "Expect:", "-H", "Transfer-Encoding: chunked", "--data-binary", "@#{file}")
    expect(response.status).to eq(413)
  end

  it "keeps connections of Node's agent, and gives it trailers both ways" do
    told = node(<<~JAVASCRIPT)
      const agent = new https.Agent({ keepAlive: true, maxSockets: 1 });
      const get = (path, options = {}, body = null) => new Promise((resolve, reject) => {
        const request = https.request(url.replace(/\\/$/, path), { agent, ...options }, (response) => {
          let text = "";
          response.on("data", (chunk) => text += chunk);
          response.on("end", () => resolve({ text, port: request.socket.localPort, reused: request.reusedSocket }));
        });
        request.on("error", reject);
        if (options.trailers) request.addTrailers(options.trailers);
        request.end(body);
      });
      const first = await get("/"), second = await get("/digest", { method: "POST" }, "abc"), third = await get("/");
      const head = { method: "POST", headers: { "transfer-encoding": "chunked", "trailer": "x-sum" } };
      const trailers = await get("/trailers", { ...head, trailers: { "x-sum": "7" } }, "abc");
      return { ports: [first.port, second.port, third.port], sum: second.text, trailers: trailers.text };
    JAVASCRIPT
    expect(told[:ports].uniq.size).to eq(1)
    expect(told[:sum]).to eq(Digest::SHA256.hexdigest("abc"))
    expect(told[:trailers]).to include("x-sum", "7")
  end

  it "bears clients that leave" do
    node(<<~JAVASCRIPT)
      for (let round = 0; round < 20; round++) {
        await new Promise((resolve) => {
          const request = https.get(url + "large", (response) => response.once("data", () => request.destroy()));
          request.on("error", () => {}).on("close", resolve);
        });
      }
      return {};
    JAVASCRIPT
    expect(curl("/").body).to eq("hello")
  end
end
