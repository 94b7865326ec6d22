# frozen_string_literal: true

require_relative "rack_helper"

RSpec.describe "an app that forks" do
  app = <<~'RACKUP'
    run lambda { |env|
      kind = env["PATH_INFO"]
      case kind
      when "/block"
        child = fork { $stderr.puts "child runs" }
        status = Process.wait2(child).last
        [200, {}, [status.success?.to_s]]
      when "/through"
        child = fork
        # The child answers as well.
        next [200, {}, ["from the child"]] unless child
        [200, {}, [Process.wait2(child).last.success?.to_s]]
      when "/raise"
        child = fork or raise "in the child"
        [200, {}, [Process.wait2(child).last.exited?.to_s]]
      when "/system" then [200, {}, [`echo from a shell`]]
      else [200, {}, [env["rack.input"].read]]
      end
    }
  RACKUP

  serve app, lint: false, env: { "HYPERION_RS_REQUEST_BUFFERING" => "off" }

  it "gets its child back, again and again, while others are served" do
    outcomes = js(<<~JAVASCRIPT)
      const paths = Array.from({ length: 60 }, (_, n) => n % 3 ? "/" : "/block");
      return Promise.all(paths.map((path) => exchange(session, path, { ":method": "POST" }, "true")));
    JAVASCRIPT
    expect(outcomes).to all(include(status: 200, body: "true", reset: "NO_ERROR"))
    runs = -> { server.err.scan(/^child runs$/).size }
    eventually { runs.call >= 20 }
    expect(runs.call).to eq(20)
  end

  it "answers once when the child comes back from it as well" do
    expect(fetch("/through")).to include(status: 200, body: "true", reset: "NO_ERROR")
  end

  it "answers once when the child raises" do
    expect(fetch("/raise")).to include(status: 200, body: "true", reset: "NO_ERROR")
  end

  it "can run programs" do
    expect(fetch("/system")).to include(body: "from a shell\n")
  end
end
