# frozen_string_literal: true

RSpec.describe "connections that say nothing more" do
  include Frames

  # Each attack opens so many connections at once.
  let(:count) { 100 }
  # Others who ask meanwhile have to be faster than that, however busy the machine is.
  let(:timeouts) do
    %i[tls_handshake_timeout header_timeout body_timeout write_timeout keepalive_timeout].to_h { |name| [name, "3s"] }
  end
  let(:greeting) { Frames::PREFACE + settings }

  # Opens the connections, and waits until the server has closed all. `encrypted` ones have a TLS handshake.
  def expect_closed(bytes, tls:, encrypted: false, memory: 32)
    server = start_server(app: ServerHelper::HELLO, tls:, options: timeouts)
    connections = []
    besiege(server, memory: memory * Siege::MIB) do
      connections = Array.new(count) do
        RawConnection.bare(server.port, tls: encrypted).tap { |connection| connection.write(bytes) }
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
    expect_closed("", tls: true, encrypted: true, memory: 64)
  end

  it "closes those silent after their SETTINGS, under TLS" do
    expect_closed(greeting, tls: true, encrypted: true, memory: 64)
  end

  it "says goodbye to those silent after their SETTINGS" do
    expect(goaways(expect_closed(greeting, tls: false))).to eq([:no_error])
  end

  it "ends those silent in a frame" do
    expect(goaways(expect_closed(greeting + headers(1).byteslice(0, 20), tls: false))).to eq([:enhance_your_calm])
  end

  it "ends those silent in a header block" do
    expect(goaways(expect_closed(greeting + headers(1, flags: 0), tls: false))).to eq([:enhance_your_calm])
  end
end
