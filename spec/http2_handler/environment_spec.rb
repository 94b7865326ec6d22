# frozen_string_literal: true

require_relative "handler_helper"

RSpec.describe HyperionRs::Http2Handler, "environment" do
  # A program that makes a handler, serves requests that overlap, and prints what came of it.
  program = <<~'RUBY'
    logger = Object.new
    lines = []
    %i[debug info warn error].each { |level| logger.define_singleton_method(level) { |&line| lines << [level, line.call] } }
    runtime = HyperionRs::Runtime.new(logger:)
    handlers = Array.new(2) { HyperionRs::Http2Handler.new(app: ->(_) { [200, {}, []] }, runtime:) }
    near, far = UNIXSocket.pair
    near.close
    handlers.last.serve(far)
    workers = -> { Thread.list.count { |thread| thread.name&.match?(/\Ahyperion-rs \d+\z/) } }
    deadline = Process.clock_gettime(Process::CLOCK_MONOTONIC) + 30
    sleep 0.01 until workers.call >= ENV["WORKERS"].to_i || Process.clock_gettime(Process::CLOCK_MONOTONIC) > deadline
    counters = runtime.metrics.snapshot.slice(:h2_codec_native_selected, :h2_codec_fallback_selected)
    print Marshal.dump({ lines:, native: handlers.map(&:codec_native?), available: handlers.first.codec_available?,
                         workers: workers.call, counters: })
  RUBY

  # What the program says, started with these variables.
  define_method(:report) do |workers: 4, **variables|
    result = run_ruby(program, env: { "WORKERS" => workers.to_s, **variables.transform_keys(&:to_s) })
    raise result.err unless result.status.success?

    Marshal.load(result.out.b) # rubocop:disable Security/MarshalLoad -- from a program of this spec
  end

  def selected(report)
    report[:lines].filter_map { |level, line| [level, line] if line[:message] == "h2 codec selected" }
  end

  describe "HYPERION_H2_NATIVE_HPACK" do
    it "is auto when it is not set; the codec is logged and counted once per process" do
      report = report(HYPERION_H2_NATIVE_HPACK: nil)
      line = { message: "h2 codec selected", mode: /native/, native_available: true, native_enabled: true,
               native_mode: "auto", cglue_active: false, hpack_path: "native-h2" }
      expect(selected(report)).to match([[:info, line]])
      expect(report).to include(native: [true, true], available: true)
      expect(report[:counters]).to eq(h2_codec_native_selected: 1, h2_codec_fallback_selected: 0)
    end

    { "auto" => ["", "1", "TRUE", "yes", "on", "auto"], "cglue" => %w[cglue v3], "v2" => %w[V2 fiddle] }
      .each do |mode, values|
        it "is #{mode} for #{values.inspect}" do
          modes = values.map { |value| HyperionRs::Http2Handler::Codec.new(value, runtime) }
          expect(modes).to all(have_attributes(mode: mode.to_sym, native?: true))
          expect(logger.lines).to be_empty
        end
      end

    it "reports off, which changes nothing" do
      %w[0 false no off Ruby].each do |value|
        expect(HyperionRs::Http2Handler::Codec.new(value, runtime)).to have_attributes(mode: :off, native?: false)
      end
      report = report(HYPERION_H2_NATIVE_HPACK: "off")
      expect(selected(report)).to match([[:info, include(native_enabled: false, native_mode: "off",
                                                         native_available: true, hpack_path: "native-h2")]])
      expect(report).to include(native: [false, false], available: true)
      expect(report[:counters]).to eq(h2_codec_native_selected: 0, h2_codec_fallback_selected: 1)
    end

    it "warns of a value that it does not know, and is auto then" do
      codec = HyperionRs::Http2Handler::Codec.new("fast", runtime)
      expect(codec.mode).to be(:auto)
      expect(logger.lines).to match([include(level: :warn, message: /unknown HYPERION_H2_NATIVE_HPACK/, value: "fast")])
    end
  end

  describe "HYPERION_H2_DISPATCH_POOL" do
    def size(value)
      HyperionRs::Configuration::HandlerEnvironment
        .new(logger, env: { "HYPERION_H2_DISPATCH_POOL" => value }).dispatch_pool
    end

    it "is a positive integer, capped" do
      expect(["1", " 8 ", "16", "17", "1000"].map { |value| size(value) }).to eq([1, 8, 16, 16, 16])
      expect(logger.lines).to be_empty
    end

    it "leaves the default when it is blank" do
      expect([nil, "", "  "].map { |value| size(value) }).to eq([nil, nil, nil])
      expect(logger.lines).to be_empty
    end

    it "leaves the default when it is malformed or not positive, and says so" do
      expect(%w[0 -1 abc 4.5 0x4].map { |value| size(value) }).to all(be_nil)
      expect(logger.lines.map { |line| line.values_at(:level, :value) }).to eq(
        %w[0 -1 abc 4.5 0x4].map { |value| [:warn, value] }
      )
    end

    it "is told as a number, for what was written against the handler that it replaces" do
      told = [nil, "8", "100", "none"].map do |value|
        with_environment("HYPERION_H2_DISPATCH_POOL" => value) { handler.send(:resolve_dispatch_pool_size) }
      end
      expect(told).to eq([4, 8, 16, 4])
    end

    it "sets the number of threads that all handlers share" do
      expect(report(workers: 7, HYPERION_H2_DISPATCH_POOL: "7")[:workers]).to eq(7)
    end

    it "is 4 threads, and up to 16 on demand, otherwise" do
      expect(report(HYPERION_H2_DISPATCH_POOL: "none")[:workers]).to eq(4)
    end
  end
end
