# frozen_string_literal: true

require "rack"
require_relative "rails_helper"

RSpec.describe "rails server", if: Chat.available? do
  let(:chat) { Chat.new(temporary_directory) }

  after { @started&.kill }

  def serve(...)
    @started = chat.serve(...)
  end

  it "starts the app anew on the same port when tmp/restart.txt is touched, as by rails restart" do
    routes = File.join(chat.directory, "config/routes.rb")
    version = ->(number) { "  get \"version\", to: ->(_env) { [200, {}, [\"#{number}\"]] }\nend" }
    original = File.read(routes).sub(/^end$/, "")
    File.write(routes, original + version[1])
    server = serve("-p", "0", "-P", "tmp/pids/server.pid")
    expect(curl(server.url("/version")).body).to eq("1")

    File.write(routes, original + version[2])
    # It touches the file.
    restart = ChildProcess.run(RbConfig.ruby, "bin/rails", "restart",
                               directory: chat.directory, env: chat.environment, within: 120)
    expect(restart.status).to be_success, restart.err
    server.wait_for(%r{restart \(tmp/restart\.txt\)})
    # Until it has drained, the program that was there may answer.
    server.wait_for(/(?:listening on.*){2}/m, within: 120)
    expect(curl(server.url("/version")).body).to eq("2")
    expect(File.read(File.join(chat.directory, "tmp/pids/server.pid")).to_i).to eq(server.pid)
    expect(server.stop.exitstatus).to eq(0)
  end

  it "is ours by an environment variable of Rack" do
    variable = Rack.release.start_with?("2") ? "RACK_HANDLER" : "RACKUP_HANDLER"
    server = serve(with: [], env: { variable => "hyperion_rs", "PORT" => "0", "RAILS_MAX_THREADS" => "3" })
    expect(server.out).to include("Booting HyperionRs").and include("threads 2:3")
  end
end
