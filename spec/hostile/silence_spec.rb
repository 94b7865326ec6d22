# frozen_string_literal: true

RSpec.describe "connections that say nothing more" do
  include Frames

  # Each attack opens so many connections at once.
  let(:count) { 100 }
  let(:timeouts) do
    { tls_handshake_timeout: "1s", header_timeout: "1s", body_timeout: "1s", write_timeout: "1s",
      keepalive_timeout: "1s" }
  end

  # Opens the connections, and waits until the server has closed all.
  def expect_closed(bytes, tls:, bare: true, memory: 32)
    server = start_server(app: ServerHelper::HELLO, tls:, options: timeouts)
    connections = []
    besiege(server, memory: memory * Siege::MIB) do
      connections = Array.new(count) do
        connection = bare ? RawConnection.bare(server.port) : RawConnection.open(server.port, tls:)
        connection.tap { connection.write(bytes) }
      end
      connections.each(&:wait_for_close)
    end
    connections
  end

  def goaways(connections)
    connections.map(&:wait_for_goaway).uniq
  end

  {
    "after accept" => "",
    "in the preface" => Frames::PREFACE.byteslice(0, 10),
    "after the preface" => Frames::PREFACE,
    "in their SETTINGS" => Frames::PREFACE + Frames.settings(Frames::INITIAL_WINDOW_SIZE => 5).byteslice(0, 12)
  }.each do |name, bytes|
    it "closes those silent #{name}" do
      expect_closed(bytes, tls: false)
    end
  end

  {
    "after accept" => "",
    "in their ClientHello" => ["1603010200010001fc0303"].pack("H*"),
    "after plaintext HTTP/2" => Frames::PREFACE + Frames.settings,
    "after plaintext HTTP/1.1" => "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"
  }.each do |name, bytes|
    it "closes those to the TLS port silent #{name}" do
      expect_closed(bytes, tls: true)
    end
  end

  it "closes those silent after the TLS handshake" do
    expect_closed("", tls: true, bare: false, memory: 64)
  end

  it "says goodbye to those silent after their SETTINGS" do
    expect(goaways(expect_closed("", tls: false, bare: false))).to eq([:no_error])
  end

  it "ends those silent in a frame" do
    expect(goaways(expect_closed(headers(1).byteslice(0, 20), tls: false, bare: false))).to eq([:enhance_your_calm])
  end

  it "ends those silent in a header block" do
    expect(goaways(expect_closed(headers(1, flags: 0), tls: false, bare: false))).to eq([:enhance_your_calm])
  end
end
