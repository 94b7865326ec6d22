# frozen_string_literal: true

RSpec.describe "examples/grpc.ru" do
  let(:server) { start_server(app: Pathname(ServerProcess::ROOT).join("examples/grpc.ru")) }

  def call(scenario, *arguments)
    python("grpc_client.py", "localhost:#{server.port}", nil, scenario, *arguments)
  end

  it "greets in all four ways" do
    expect(call(:unary, "/Greeter/Hello", "Ann")).to include(message: "Hello, Ann", code: "OK")
    expect(call(:client_streaming, "/Greeter/HelloAll", %w[Ann Bob])).to include(message: "Hello, Ann and Bob")
    expect(call(:server_streaming, "/Greeter/HelloAgain", "Ann"))
      .to include(messages: ["Hello 1, Ann", "Hello 2, Ann", "Hello 3, Ann"], code: "OK")
    expect(call(:bidirectional, "/Greeter/HelloEach", %w[Ann Bob]))
      .to include(messages: ["Hello, Ann", "Hello, Bob"], code: "OK")
  end

  it "says which methods it has not" do
    expect(call(:unary, "/Greeter/Bye", "")).to eq(code: "UNIMPLEMENTED", details: "no method /Greeter/Bye")
  end
end
