# frozen_string_literal: true

require_relative "rack_helper"

RSpec.describe "response trailers" do
  app = <<~'RACKUP'
    class Body
      def initialize(chunks, trailers) = (@chunks, @trailers = chunks, trailers)
      def each(&block) = @chunks.each(&block)
      def trailers = @trailers.respond_to?(:call) ? @trailers.call : @trailers
      def close = $stderr.puts("closed a body with trailers")
    end
    Pairs = Struct.new(:pairs) { def to_h = pairs.to_h }
    bodies = {
      "/grpc" => -> { Body.new(["\0\0\0\0\1a", "", "\0\0\0\0\1b"], { "grpc-status" => "0", "grpc-message" => "" }) },
      "/only" => -> { Body.new([], { "grpc-status" => "5" }) },
      "/nil" => -> { Body.new(["a"], nil) },
      "/empty" => -> { Body.new(["a"], {}) },
      "/to_h" => -> { Body.new(["a"], Pairs.new([["x-a", "1"]])) },
      "/dropped" => -> { Body.new(["a"], { ":status" => "500", "connection" => "close", "x-kept" => "1" }) },
      "/repeated" => -> { Body.new(["a"], { "x-a" => %w[1 2] }) },
      "/bad" => -> { Body.new(["a"], { "x-a" => "1\r\n2" }) },
      "/raises" => -> { Body.new(["a"], -> { raise "no trailers today" }) }
    }
    run ->(env) { [200, { "content-type" => "application/grpc" }, bodies.fetch(env["PATH_INFO"]).call] }
  RACKUP

  serve app, lint: false

  it "follow the body" do
    expect(fetch("/grpc")).to include(body: "\0\0\0\0\1a\0\0\0\0\1b", reset: "NO_ERROR",
                                      trailers: { "grpc-status": "0", "grpc-message": "" })
    server.wait_for(/^closed a body with trailers$/)
  end

  it "end the stream themselves, after DATA for each chunk" do
    seen = frames("/grpc")
    expect(seen.map(&:first)).to eq(%w[HEADERS DATA DATA HEADERS])
    expect(seen.map { |_, flags,| flags & 1 }).to eq([0, 0, 0, 1])
  end

  it "follow the head where there is no body" do
    expect(fetch("/only")).to include(body: "", trailers: { "grpc-status": "5" }, reset: "NO_ERROR")
  end

  it "may be none" do
    expect([fetch("/nil"), fetch("/empty")]).to all(include(body: "a", trailers: nil, reset: "NO_ERROR"))
  end

  it "may be anything with to_h, and hold Arrays" do
    expect(fetch("/to_h")[:trailers]).to eq("x-a": "1")
    expect(fetch("/repeated")[:trailers]).to eq("x-a": "1, 2")
  end

  it "are without pseudo-headers and what is about a connection" do
    expect(fetch("/dropped")[:trailers]).to eq("x-kept": "1")
  end

  it "that cannot be sent fail the response, which says why" do
    expect(fetch("/bad")[:reset]).to eq("INTERNAL_ERROR")
    server.wait_for(/header "x-a" has the byte 0x0d/)
    expect(fetch("/raises")[:reset]).to eq("INTERNAL_ERROR")
    server.wait_for(/no trailers today/)
  end
end
