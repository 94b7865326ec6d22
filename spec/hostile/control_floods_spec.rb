# frozen_string_literal: true

RSpec.describe "floods of frames that carry nothing" do
  include Frames

  # More than any honest client sends at once, and little enough to be over soon.
  let(:count) { 100_000 }
  let(:server) { start_server(app: ServerHelper::HELLO) }
  let(:connection) { RawConnection.open(server.port) }

  # Sends a flood while others ask; expects that the server ends it.
  def expect_refused(opening = "", &)
    besiege(server, memory: 16 * Siege::MIB) do
      connection.write(opening)
      expect(connection.flood(count, &)).to be < count
      expect(connection.wait_for_goaway).to eq(:enhance_your_calm)
    end
  end

  {
    "SETTINGS" => ->(index) { Frames.settings(Frames::INITIAL_WINDOW_SIZE => index) },
    "empty SETTINGS" => ->(_) { Frames.settings },
    "PING" => ->(_) { Frames.ping },
    "PRIORITY" => ->(index) { Frames.priority((index * 2) + 1, 0) },
    "WINDOW_UPDATE of the connection" => ->(_) { Frames.window_update(0, 1) },
    "frames of an unknown type" => ->(_) { Frames.frame(0xbe, 0, 0, "what?") }
  }.each do |name, frame|
    it "ends a flood of #{name}" do
      expect_refused(&frame)
    end
  end

  it "ends a flood of WINDOW_UPDATE of a stream" do
    expect_refused(headers(1, body: true)) { window_update(1, 1) }
  end

  it "ends a flood of empty DATA" do
    expect_refused(headers(1, body: true)) { data(1) }
  end

  it "ends a flood of CONTINUATION" do
    expect_refused(headers(1, flags: 0)) { |index| frame(Frames::CONTINUATION, 0, 1, field("x-#{index}", "y")) }
  end

  it "ends a flood of empty CONTINUATION" do
    expect_refused(headers(1, flags: 0)) { frame(Frames::CONTINUATION, 0, 1) }
  end
end
