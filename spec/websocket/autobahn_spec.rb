# frozen_string_literal: true

require_relative "../rack/rack_helper"
require_relative "support/autobahn"
require_relative "support/libraries"

reason = "Autobahn can be installed only where Python has venv" unless Autobahn.possible?
RSpec.describe "Autobahn's fuzzing client", if: WebSocketLibraries.available?, skip: reason do
  serve File.read(File.join(__dir__, "app.ru")), lint: false, tls: false

  %w[/driver /faye].each do |path|
    it "finds no fault with the echo at #{path} that is the server's" do
      faults = Autobahn.faults(server.url(path).sub("http", "ws"))
      expect(faults).to be_empty
    end
  end
end
