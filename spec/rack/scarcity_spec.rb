# frozen_string_literal: true

require "socket"
require_relative "rack_helper"

RSpec.describe "a server that runs short" do
  describe "of file descriptors" do
    limit = 64
    serve "Process.setrlimit(:NOFILE, #{limit})\nrun ->(_) { [200, {}, ['ok']] }", lint: false, tls: false

    it "serves whom it has, and others again afterwards" do
      js("globalThis.early = connect(url); return exchange(early, '/');")
      idle = Array.new(limit + 16) { TCPSocket.new("127.0.0.1", server.port) }
      server.wait_for(/accept failed/)
      expect(js("return exchange(early, '/');")).to include(status: 200, body: "ok")
      idle.each(&:close)
      expect(fetch("/")).to include(status: 200, body: "ok")
    end
  end
end
