# frozen_string_literal: true

require_relative "rack_helper"

RSpec.describe "memory" do
  app = <<~'RACKUP'
    run lambda { |env|
      case env["PATH_INFO"]
      when "/count"
        3.times { GC.start }
        counts = ObjectSpace.count_objects.values_at(:T_STRING, :T_HASH, :T_ARRAY, :T_DATA, :T_OBJECT)
        next [200, {}, [counts.join(",")]]
      when "/upload" then env["rack.input"].read
      when "/each" then next [200, {}, Enumerator.new { |y| 3.times { y << "chunk" } }]
      when "/call" then next [200, {}, ->(s) { s << "called"; s.close }]
      when "/finished" then env["rack.response_finished"] << ->(*) {}
      when "/error" then next [200, { "x-a" => "\0" }, []]
      end
      [200, { "content-type" => "text/plain" }, ["done"]]
    }
  RACKUP

  serve app, lint: false

  # The least of several counts: workers may not be done yet with the requests that they have answered.
  def object_counts
    Array.new(5) { fetch("/count")[:body].split(",").map(&:to_i) }.transpose.map(&:min)
  end

  def exercise(requests)
    js(<<~JAVASCRIPT, within: 60)
      const paths = ["/", "/upload", "/each", "/call", "/finished", "/error"];
      for (let n = 0; n < #{requests}; n += 60) {
        await Promise.all(Array.from({ length: 60 }, (_, k) =>
          exchange(session, paths[k % paths.length], { ":method": "POST" }, "body")));
      }
    JAVASCRIPT
  end

  it "holds no object of a request that is over" do
    exercise(1_200)
    before = object_counts
    exercise(6_000)
    grown = object_counts.zip(before).map { |after, first| after - first }
    # Far fewer than one of a kind for each request.
    expect(grown).to all(be < 600)
  end

  it "stays flat over 200,000 requests" do
    h2load(server.url("/"), requests: 20_000, clients: 8, streams: 32)
    figures = [resident]
    4.times do
      load = h2load(server.url("/"), requests: 50_000, clients: 8, streams: 32)
      expect([load.succeeded, load.failed, load.statuses["2xx"]]).to eq([50_000, 0, 50_000])
      figures << resident
    end
    told = figures.map { |megabytes| megabytes.round(1) }.join(", ")
    RSpec.configuration.reporter.message("resident MB after 20,000 requests, and after each 50,000 more: #{told}")
    expect(figures.last - figures[1]).to be < 8
  end
end
