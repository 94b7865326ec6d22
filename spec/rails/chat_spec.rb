# frozen_string_literal: true

require_relative "rails_helper"

RSpec.describe "two people who chat", if: Chat.available?, skip: !Browser.chromium && !ENV["CI"] && "no Chromium" do
  include Browser

  program = File.join(__dir__, "support/chat.js")
  talk = ["Ada Is anybody there?", "Grace I am. <b>Über</b> HTTP?"]

  shared_examples "a chat" do |handshake|
    it "see what the other one says, on a page over HTTP/2" do
      people = drive(program, url: server.url("/"), more: 20)
      expect(people).to all(include(protocol: "h2", upgraded: handshake, errors: []))
      expect(people.flat_map { |person| person[:resources] }.uniq).to eq(["h2"])
      lines = people.map { |person| person[:lines] }
      expect(lines[0]).to eq(lines[1]).and start_with(talk)
      expect(lines[0].size).to eq(22)
    end
  end

  context "over an HTTP/2 WebSocket" do
    serve_chat "-p", "0"

    include_examples "a chat", 200

    it "are together again when the server has restarted" do
      people = drive(program, url: server.url("/"), restart: File.join(chat.directory, "tmp/restart.txt"))
      expect(people.map { |person| person[:lines].last }).to all(eq("Grace There we are again."))
      expect(server.out.scan(/listening on/).size).to eq(2)
      expect(server.err).to include("restart (tmp/restart.txt)")
      expect(server.err).not_to include("did not end in time")
    end
  end

  context "over an HTTP/1.1 WebSocket" do
    serve_chat "-p", "0", env: { "HYPERION_RS_H2_CONNECT_PROTOCOL" => "off" }

    include_examples "a chat", 101
  end
end
