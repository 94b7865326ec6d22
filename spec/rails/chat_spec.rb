# frozen_string_literal: true

require_relative "rails_helper"

RSpec.describe "two people who chat", if: Chat.available?, skip: !Browser.chromium && !ENV["CI"] && "no Chromium" do
  include Browser

  program = File.join(__dir__, "support/chat.js")
  talk = ["Ada Is anybody there?", "Grace I am. <b>Über</b> HTTP?"]

  { "an HTTP/2" => ["on", 200], "an HTTP/1.1" => ["off", 101] }.each do |protocol, (connect, status)|
    context "over #{protocol} WebSocket" do
      serve_chat "-p", "0", env: { "HYPERION_RS_H2_CONNECT_PROTOCOL" => connect }

      it "are together again when the server has restarted" do
        people = drive(program, url: server.url("/"), restart: File.join(chat.directory, "tmp/restart.txt"))
        expect(people.map { |person| person[:lines].last }).to all(eq("Grace There we are again."))
        expect(server.log).to match(/restart \(.*listening on/m)
        expect(server.log).not_to include("did not end in time")
      end

      it "see what the other one says, on a page over HTTP/2" do
        people = drive(program, url: server.url("/"), more: 20)
        expect(people).to all(include(protocol: "h2", upgraded: status, errors: []))
        expect(people.flat_map { |person| person[:resources] }.uniq).to eq(["h2"])
        lines = people.map { |person| person[:lines] }
        expect(lines[0]).to eq(lines[1]).and start_with(talk)
        expect(lines[0].size).to eq(22)
      end
    end
  end
end
