# frozen_string_literal: true

RSpec.describe "floods of resets" do
  include Frames

  let(:count) { 20_000 }
  let(:server) { start_server(app: ServerHelper::HELLO) }
  let(:connection) { RawConnection.open(server.port) }

  # Opens stream after stream with what the block makes of its number, while others ask.
  def expect_refused(reasons = [:enhance_your_calm])
    besiege(server, memory: 16 * Siege::MIB) do
      expect(connection.flood(count) { |index| yield (index * 2) + 1 }).to be < count
      expect(reasons).to include(connection.wait_for_goaway)
    end
  end

  # RFC 9113, section 5.3.1 of its predecessor: HEADERS whose stream depends on itself.
  def self_dependent(stream)
    flags = Frames::END_HEADERS | Frames::PRIORITIZED
    headers(stream, dependency(stream) + request, flags:)
  end

  it "ends rapid resets (CVE-2023-44487)" do
    expect_refused { |stream| headers(stream) + rst_stream(stream) }
  end

  it "ends rapid resets of uploads" do
    expect_refused { |stream| headers(stream, body: true) + data(stream, "x") + rst_stream(stream) }
  end

  describe "that the server is made to send (CVE-2025-8671)" do
    {
      "a window overflow" => ->(stream) { Frames.window_update(stream, Frames::MAX_WINDOW) },
      "a zero increment" => ->(stream) { Frames.window_update(stream, 0) },
      "DATA on a half-closed stream" => ->(stream) { Frames.data(stream, "late") },
      "HEADERS on a half-closed stream" => ->(stream) { Frames.headers(stream) },
      "a priority on itself" => ->(stream) { Frames.priority(stream, stream) }
    }.each do |name, frame|
      it "ends those for #{name}" do
        # A server may take a stream error for one of the connection (RFC 9113, section 5.4.2).
        reasons = %i[enhance_your_calm protocol_error stream_closed]
        expect_refused(reasons) { |stream| headers(stream) + frame.call(stream) }
      end
    end

    it "ends those for a head that depends on itself" do
      expect_refused { |stream| self_dependent(stream) }
    end

    it "ends those for a malformed head" do
      block = request(fields: { "connection" => "close" })
      expect_refused { |stream| headers(stream, block) }
    end

    it "ends those for malformed trailers" do
      # Trailers on a stream beyond max_concurrent_streams, which was refused, are an error of the connection for h2.
      reasons = %i[enhance_your_calm protocol_error]
      expect_refused(reasons) { |stream| headers(stream, body: true) + headers(stream, field(":path", "/")) }
    end

    it "ends those for a content-length that is wrong" do
      block = request(method: "POST", fields: { "content-length" => "5" })
      expect_refused { |stream| headers(stream, block, body: true) + data(stream, "four", last: true) }
    end
  end
end
