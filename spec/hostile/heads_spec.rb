# frozen_string_literal: true

RSpec.describe "heads made to cost more than they weigh" do
  include Frames

  let(:server) { start_server(app: ServerHelper::HELLO) }

  # A fresh connection for each round of an attack.
  def attack(rounds, settings: {})
    besiege(server, memory: 32 * Siege::MIB) do
      Array.new(rounds) do |round|
        connection = RawConnection.open(server.port, settings:)
        yield connection, round
        connection.close
      end
    end
  end

  # One entry of the dynamic table, as large as that, and references to it.
  def bomb(references)
    request + field("x", "v" * 4000, first: 0x40) + ([0x80 | 62].pack("C") * references)
  end

  it "ends HPACK bombs" do
    attack(50) do |connection|
      connection.write(headers(1, bomb(16_000)))
      expect(connection.wait_for_goaway).to eq(:enhance_your_calm)
    end
  end

  it "ends HPACK bombs in CONTINUATION" do
    attack(50) do |connection|
      connection.write(headers(1, bomb(16_000), flags: 0))
      connection.flood(100, batch: 1) { frame(Frames::CONTINUATION, 0, 1, [0x80 | 62].pack("C") * 16_000) }
      expect(connection.wait_for_goaway).to eq(:enhance_your_calm)
    end
  end

  it "refuses a dynamic table that is larger than it announced" do
    attack(50) do |connection|
      connection.write(headers(1, integer(1 << 30, prefix: 5, pattern: 0x20) + request))
      expect(connection.wait_for_goaway).to eq(:compression_error).or eq(:protocol_error)
    end
  end

  it "bears a dynamic table whose size changes all the time" do
    resizes = (integer(0, prefix: 5, pattern: 0x20) + integer(4096, prefix: 5, pattern: 0x20)) * 8000
    attack(50) do |connection|
      connection.write(headers(1, resizes + request))
      connection.wait_for_end(1)
    end
  end

  it "takes no more memory for its own table than it wants, whatever the client allows" do
    attack(50, settings: { Frames::HEADER_TABLE_SIZE => (2**32) - 1 }) do |connection|
      connection.flood(100) { |index| headers((index * 2) + 1) }
      connection.wait_for_end(199)
    end
  end

  it "ends heads that are too large" do
    attack(20) do |connection|
      # 1 MB in one frame, 16 times what it takes.
      connection.write(headers(1, request + (field("x-large", "v" * 10_000) * 100)))
      expect(connection.wait_for_goaway).to eq(:enhance_your_calm)
    end
  end

  it "ends heads of too many fields" do
    attack(20) do |connection|
      connection.write(headers(1, request + (field("x", "") * 20_000)))
      expect(connection.wait_for_goaway).to eq(:enhance_your_calm)
    end
  end

  it "ends a field that never ends" do
    attack(10) do |connection|
      endless = [0x00].pack("C") + string("x") + integer(1 << 30, prefix: 7)
      connection.write(headers(1, request + endless, flags: 0))
      connection.flood(1000, batch: 1) { frame(Frames::CONTINUATION, 0, 1, "v" * 16_384) }
      expect(%i[enhance_your_calm compression_error protocol_error]).to include(connection.wait_for_goaway)
    end
  end

  it "answers 431 to what is a little too large, as it is no attack" do
    connection = RawConnection.open(server.port)
    sizes = { 1 => 60_000, 3 => 70_000 }
    sizes.each { |stream, size| connection.write(headers(stream, request + field("x-large", "v" * size))) }
    expect(sizes.keys.map { |stream| connection.status(stream) }).to eq([200, 431])
  end
end
