# frozen_string_literal: true

RSpec.describe "clients that do not take their responses" do
  include Frames

  # 100 responses of 1 MB each, in one piece, in many, and made as they go.
  app = <<~RUBY
    CHUNK = "x" * 10_000
    WHOLE = CHUNK * 100
    run lambda { |env|
      body = case env["PATH_INFO"]
             when "/whole" then [WHOLE]
             when "/chunks" then [CHUNK] * 100
             when "/each" then Enumerator.new { |out| 100.times { out << CHUNK } }
             else ["hello"]
             end
      [200, {}, body]
    }
  RUBY

  let(:streams) { (1..199).step(2).to_a }
  let(:server) { start_server(app:, options: { write_timeout: "1s" }) }

  {
    "a window of zero" => { window: 0, path: "/whole" },
    "a window of zero, for many chunks" => { window: 0, path: "/chunks" },
    "a window of zero, for enumerators" => { window: 0, path: "/each" },
    "a window of one byte" => { window: 1, path: "/whole" },
    "a window of one byte, for enumerators" => { window: 1, path: "/each" }
  }.each do |name, attack|
    it "resets the streams of those with #{name}" do
      connection = RawConnection.open(server.port, settings: { Frames::INITIAL_WINDOW_SIZE => attack[:window] })
      besiege(server, memory: 48 * Siege::MIB) do
        streams.each { |stream| connection.write(headers(stream, request(attack[:path]))) }
        expect(streams.map { |stream| connection.wait_for_reset(stream) }.uniq).to eq([:cancel])
      end
      connection.synchronize
    end
  end

  it "resets the streams of those who open their window byte by byte" do
    connection = RawConnection.open(server.port, settings: { Frames::INITIAL_WINDOW_SIZE => 0 })
    besiege(server, memory: 48 * Siege::MIB) do
      connection.write(streams.map { |stream| headers(stream, request("/each")) }.join)
      # A window for nothing would be a flood.
      streams.each { |stream| connection.wait_for("the head") { |frame| frame.stream == stream } }
      until (left = streams - connection.resets.keys).empty?
        expect(connection.write(left.map { |stream| window_update(stream, 1) }.join)).to be(true)
        connection.synchronize
      end
    end
    expect(connection.resets.values.uniq).to eq([:cancel])
  end

  it "resets the streams of those who leave the window of the connection shut" do
    connection = RawConnection.open(server.port, settings: { Frames::INITIAL_WINDOW_SIZE => 1 << 20 })
    besiege(server, memory: 48 * Siege::MIB) do
      streams.each { |stream| connection.write(headers(stream, request("/whole"))) }
      expect(streams.map { |stream| connection.wait_for_reset(stream) }.uniq).to eq([:cancel])
    end
  end

  it "drops the connections of those who do not read" do
    server = start_server(app:, options: { write_timeout: "1s", max_pending_bytes: "4MiB" })
    settings = { Frames::INITIAL_WINDOW_SIZE => Frames::MAX_WINDOW }
    besiege(server, memory: 64 * Siege::MIB) do
      connections = Array.new(10) { RawConnection.open(server.port, settings:) }
      expect(open_connections(server)).to be >= connections.size
      connections.each do |connection|
        connection.shrink_receive_buffer
        connection.write(window_update(0, Frames::MAX_WINDOW - 65_535))
        connection.write_deaf(streams.first(10).map { |stream| headers(stream, request("/each")) }.join)
      end
      # The probe may have one, too.
      eventually("they are dropped") { open_connections(server) <= 1 }
    end
  end

  # Those that the server holds, by proc(5): to see them end from the client's side one would have to read.
  def open_connections(server)
    local = format("0100007F:%04X", server.port)
    connections = File.readlines("/proc/net/tcp").map { |line| line.split.values_at(1, 3, 9) }
    connections.count { |address, state, inode| address == local && state != "0A" && inode != "0" }
  end
end
