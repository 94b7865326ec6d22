# frozen_string_literal: true

require_relative "rack_helper"

# Only CI is sure to have a browser: `bin/setup --dev` installs it.
browser = %w[chromium chromium-browser google-chrome].find { |name| system("command -v #{name} >/dev/null 2>&1") }

RSpec.describe "a page in Chromium", skip: !browser && !ENV["CI"] && "there is no Chromium here" do
  # The page asks for more of itself by script: answers, an upload, an event stream; and tells what came in its title.
  app = <<~'RACKUP'
    PAGE = <<~HTML
      <!doctype html><meta charset="utf-8"><title>loading</title>
      <link rel="stylesheet" href="/style.css"><p id="told"></p>
      <script>
        const events = new Promise((resolve) => {
          const source = new EventSource("/events");
          source.onmessage = ({ data }) => { source.close(); resolve(data); };
        });
        const upload = fetch("/upload", { method: "POST", body: "x".repeat(200000) }).then((answer) => answer.text());
        const many = Promise.all(Array.from({ length: 50 }, (_, n) => fetch("/n/" + n).then((answer) => answer.text())));
        Promise.all([events, upload, many]).then(([event, size, numbers]) => {
          const protocol = performance.getEntriesByType("navigation")[0].nextHopProtocol;
          const color = getComputedStyle(document.body).color;
          told.textContent = [protocol, event, size, numbers.join(""), color].join(" ");
        });
      </script>
    HTML
    run lambda { |env|
      type = { "content-type" => "text/plain" }
      case env["PATH_INFO"]
      when "/" then [200, { "content-type" => "text/html" }, [PAGE]]
      when "/style.css" then [200, { "content-type" => "text/css" }, ["body { color: rgb(1, 2, 3) }"]]
      when "/events" then [200, { "content-type" => "text/event-stream" }, ["data: an-event\n\n"].each]
      when "/upload" then [200, type, [env["rack.input"].read.bytesize.to_s]]
      when %r{\A/n/(\d+)} then [200, type, [$1]]
      else [404, type, []]
      end
    }
  RACKUP

  # rackup adds Rack::Lint by itself.
  serve app, lint: false, via: :rackup

  it "loads over HTTP/2, with all that it asks for" do
    arguments = %w[--headless --no-sandbox --disable-gpu --disable-dev-shm-usage --ignore-certificate-errors
                   --no-proxy-server --virtual-time-budget=10000 --dump-dom]
    profile = Dir.mktmpdir("hyperion-rs-browser")
    result = ChildProcess.run(browser, *arguments, "--user-data-dir=#{profile}", server.url("/"), within: 120)
    told = result.out[%r{<p id="told">(.*?)</p>}, 1]
    expect(told).to eq("h2 an-event 200000 #{(0...50).to_a.join} rgb(1, 2, 3)"), "#{result.err}#{server.err}"
  ensure
    FileUtils.rm_rf(profile)
  end
end
