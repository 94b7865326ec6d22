# frozen_string_literal: true

RSpec.describe HyperionRs::Metrics do
  subject(:metrics) { described_class.new }

  numbers = %i[connections_accepted connections_active requests_total requests_in_flight requests_rejected
               h2_streams_refused app_errors h2_codec_native_selected h2_codec_fallback_selected]

  it "begins at zero" do
    zeros = numbers.to_h { |name| [name, 0] }
    expect(metrics.snapshot).to include(zeros.merge(requests_dispatch_total: {}, responses_status_total: {}))
  end

  it "counts by name" do
    metrics.increment(:app_errors)
    metrics.increment("app_errors", 2)
    metrics.increment(:requests_in_flight)
    metrics.decrement(:requests_in_flight)
    metrics.decrement(:connections_active, 4)
    expect(metrics.snapshot).to include(app_errors: 3, requests_in_flight: 0, connections_active: -4)
  end

  it "counts what an app names" do
    metrics.increment(:cache_hits, 5)
    metrics.decrement(:cache_hits)
    expect(metrics.snapshot).to include(cache_hits: 4)
  end

  it "keeps what it counts by label apart from an app's number of that name" do
    metrics.increment(:responses_status_total)
    expect(metrics.snapshot[:responses_status_total]).to eq({})
    expect(metrics.to_prometheus).not_to include("responses_status_total")
  end

  it "counts responses by status and requests by worker" do
    2.times { metrics.increment_status(200) }
    metrics.increment_status("404")
    metrics.tick_worker_request(42)
    metrics.tick_worker_request("42")
    expect(metrics.snapshot).to include(responses_status_total: { 200 => 2, 404 => 1 },
                                        requests_dispatch_total: { "42" => 2 })
  end

  it "refuses what is no number" do
    expect { metrics.increment(:app_errors, "many") }.to raise_error(TypeError)
    expect { metrics.increment }.to raise_error(ArgumentError)
  end

  it "has histograms with cumulative buckets" do
    %i[request_duration queue_wait app_time].each do |name|
      histogram = metrics.snapshot.fetch(name)
      expect(histogram).to include(count: 0, sum: 0.0)
      expect(histogram[:buckets].keys).to eq(histogram[:buckets].keys.sort)
      expect(histogram[:buckets].keys.last).to eq(Float::INFINITY)
    end
  end

  it "keeps apart what is counted elsewhere" do
    described_class.new.increment(:app_errors)
    expect(metrics.snapshot).to include(app_errors: 0)
  end

  it "is written for Prometheus" do
    metrics.increment_status(200)
    metrics.increment(:connections_active)
    text = metrics.to_prometheus
    expect(text.encoding).to eq(Encoding::UTF_8)
    expect(text).to include(%(# TYPE hyperion_responses_status_total counter\n) +
                            %(hyperion_responses_status_total{status="200"} 1\n))
    numbers.each { |name| expect(text).to match(/^# HELP hyperion_#{name} .+\n# TYPE hyperion_#{name} \w+\n/) }
    expect(text.lines).to all(match(/\A(# (HELP|TYPE) \w+ .+|\w+(\{\w+="[^"]*"\})? [-+.\deInf]+)\n\z/))
  end

  it "counts from zero in a child process" do
    metrics.increment(:app_errors)
    reader, writer = IO.pipe
    pid = fork do
      metrics.increment(:app_errors, 7)
      writer.write(metrics.snapshot[:app_errors])
      writer.close
      exit!(0)
    end
    writer.close
    expect(reader.read).to eq("7")
    Process.wait(pid)
    expect(metrics.snapshot).to include(app_errors: 1)
  end

  # In a process of its own, which has little to go through each time.
  it "survives a collection at every allocation" do
    program = <<~RUBY
      require "hyperion_rs"
      # Loads what is loaded once.
      HyperionRs::Metrics.new.snapshot
      GC.stress = true
      5.times { HyperionRs::Metrics.new.snapshot }
      puts "survived"
    RUBY
    result = ChildProcess.run(RbConfig.ruby, "-I", ServerProcess::LIBRARY, "-e", program, within: 300)
    expect(result.out).to eq("survived\n"), result.err
  end
end
