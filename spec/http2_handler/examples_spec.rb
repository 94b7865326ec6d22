# frozen_string_literal: true

require_relative "handler_helper"

RSpec.describe "examples that embed the handler" do
  after { @process&.kill }

  def start(name, *arguments)
    file = File.join(ServerProcess::ROOT, "examples", name)
    @process = ChildProcess.new(RbConfig.ruby, "-I", ServerProcess::LIBRARY, file, "0", *arguments,
                                env: { "XDG_DATA_HOME" => ServerHelper.data_home })
    Integer(@process.wait_for(/listening on port (\d+)/)[1])
  end

  it "serve in a loop, and end when they are told to" do
    port = start("embedded.rb")
    expect(curl("http://localhost:#{port}/").body).to match(%r{\Ahello over HTTP/2 from (127\.0\.0\.1|::1)\n\z})
    expect(h2load("http://localhost:#{port}/", requests: 1_000, clients: 5, streams: 10).succeeded).to eq(1_000)
    @process.signal(:TERM)
    expect(@process.wait(within: 30)).to be_success
  end

  it "serve in a loop, with TLS" do
    port = start("embedded.rb", "dev")
    expect(curl("https://localhost:#{port}/")).to have_attributes(status: 200, protocol: "2")
    @process.signal(:INT)
    expect(@process.wait(within: 30)).to be_success
  end

  it "serve in a server of the async library, whose reactor runs on", if: HandlerHelper::ASYNC do
    port = start("embedded_async.rb")
    expect(curl("http://localhost:#{port}/").body).to start_with("hello over HTTP/2")
    eventually("a line for one connection") { told == 1 }
    result = h2load("http://localhost:#{port}/", requests: 1_000, clients: 20, streams: 10)
    expect(result.succeeded).to eq(1_000)
    eventually("lines for all connections") { told == 21 }
  end

  # The connections that its lines count, however many of them it has seen at a time.
  def told
    @process.out.scan(/^(\d+) connections$/).flatten.sum(&:to_i)
  end
end
