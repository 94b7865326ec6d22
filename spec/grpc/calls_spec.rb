# frozen_string_literal: true

require "securerandom"

RSpec.describe "gRPC calls" do
  let(:app) { Pathname(__dir__).join("app.ru") }
  let(:server) { start_server(app:) }

  def call(scenario, *arguments)
    python("grpc_client.py", "localhost:#{server.port}", nil, scenario, *arguments)
  end

  # What the app has seen of the next call to end early.
  def seen
    JSON.parse(curl(server.url("/seen")).body)
  end

  it "are unary" do
    expect(call(:unary, "/Test/Echo", "a message")).to eq(message: "a message", code: "OK", details: "")
    expect(call(:unary, "/Test/Echo", "")).to eq(message: "", code: "OK", details: "")
  end

  it "stream from the client" do
    expect(call(:client_streaming, "/Test/Size", %w[one two three])).to include(message: "11", code: "OK")
  end

  it "stream from the server" do
    expect(call(:server_streaming, "/Test/Count", "1000")).to include(messages: ("1".."1000").to_a, code: "OK")
  end

  it "stream both ways at once" do
    messages = Array.new(50) { SecureRandom.hex }
    expect(call(:bidirectional, "/Test/Echo", messages)).to eq(messages:, code: "OK", details: "")
  end

  it "work over TLS" do
    server = start_server(app:, tls: true)
    certificate = File.read(Dir[File.join(ServerHelper.data_home, "hyperion-rs/*.pem")].grep_v(/key/).first)
    answer = python("grpc_client.py", "localhost:#{server.port}", certificate, :bidirectional, "/Test/Echo", %w[a b])
    expect(answer).to include(messages: %w[a b], code: "OK")
  end

  it "end with a status in the trailers" do
    expect(call(:unary, "/Test/Fail", "")).to eq(code: "INVALID_ARGUMENT", details: "50% of caf\u00e9s\n")
  end

  it "end with a status after messages" do
    expect(call(:bidirectional, "/Test/FailLate", %w[good bad good])).to eq(
      messages: ["good"], code: "INVALID_ARGUMENT", details: "bad"
    )
  end

  it "end with trailers only" do
    expect(call(:unary, "/Test/Unknown", "")).to eq(code: "UNIMPLEMENTED", details: "no method /Test/Unknown")
  end

  it "fail when the app does" do
    expect(call(:unary, "/Test/Crash", "")).to include(code: "INTERNAL")
    server.wait_for(/a crash that is meant/)
  end

  it "carry metadata both ways, and the deadline" do
    fields = [["x-text", "one, two"], ["x-data-bin", (0..255).to_a.pack("C*").unpack1("H*")]]
    answer = call(:mirror)
    expect(answer[:timeout]).to match(/\A\d+[SmunMH]\z/)
    expect(answer[:initial]).to match_array(fields)
    expect(answer[:trailing]).to match_array([["x-text-again", "one, two"], ["x-data-again-bin", fields[1][1]]])
  end

  it "end at their deadline, which the app sees" do
    # The app has to be called before.
    expect(call(:deadline, "/Test/Read", 3)).to include(code: "DEADLINE_EXCEEDED")
    expect(seen).to eq("what" => "read", "error" => "HyperionRs::ClientDisconnected")
  end

  it "are cancelled while the app reads" do
    expect(call(:cancel, "/Test/Read", 0)).to eq(code: "CANCELLED")
    expect(seen).to eq("what" => "read", "error" => "HyperionRs::ClientDisconnected")
  end

  it "are cancelled while the app writes" do
    expect(call(:cancel, "/Test/Write", 1)).to eq(code: "CANCELLED")
    expect(seen).to eq("what" => "write", "error" => "HyperionRs::ClientDisconnected")
  end

  it "carry messages of 4 MB both ways" do
    size = 4 << 20
    expect(call(:large, size)).to eq(sent: size.to_s, received: size, both: size)
  end

  it "run 100 at once" do
    answers = call(:burst, "/Test/Echo", 100)
    expect(answers).to eq(Array.new(100) { |number| { message: number.to_s, code: "OK", details: "" } })
  end

  it "stay open 100 at once, with a thread for each" do
    server = start_server(app:, options: { threads: "4:100" })
    answers = python("grpc_client.py", "localhost:#{server.port}", nil, :concurrent, "/Test/Echo", 100)
    expect(answers).to eq(Array.new(100) { |number| [number.to_s, 0, "OK"] })
  end
end
