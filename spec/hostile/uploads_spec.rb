# frozen_string_literal: true

RSpec.describe "uploads made to be a burden" do
  include Frames

  # Reads nothing before it is told to, by anybody who asks for /done; counts what it has read then.
  app = <<~RUBY
    DONE = Queue.new
    run lambda { |env|
      case env["PATH_INFO"]
      when "/hold"
        DONE.pop
        [200, {}, [env["rack.input"].read.bytesize.to_s]]
      when "/refuse" then [403, {}, ["no"]]
      when "/read" then [200, {}, [env["rack.input"].read.bytesize.to_s]]
      when "/done"
        DONE.close
        [200, {}, ["done"]]
      else [200, {}, ["hello"]]
      end
    }
  RUBY

  let(:gib) { 1 << 30 }
  let(:chunk) { "x" * 16_384 }

  def post(stream, path, size: nil)
    fields = size ? { "content-length" => size.to_s } : {}
    headers(stream, request(path, method: "POST", fields:), body: true)
  end

  # Sends DATA whatever the windows, until the server refuses or the bytes are sent; answers how many were.
  def pour(connection, stream, bytes)
    connection.flood(bytes / chunk.bytesize, batch: 16) { data(stream, chunk) } * chunk.bytesize
  end

  # As `pour`, but within the windows; gives up when they stay shut for `patience` seconds, or the stream is reset.
  def pour_within_windows(connection, stream, bytes, patience:)
    sent = 0
    while sent < bytes && (window = connection.window(stream, sent, patience)).positive?
      count = [window, bytes - sent].min
      whole, rest = count.divmod(chunk.bytesize)
      frames = [data(stream, chunk)] * whole
      # Empty DATA is an attack of its own.
      frames << data(stream, "x" * rest) if rest.positive?
      return sent unless connection.write(frames.join)

      sent += count
    end
    sent
  end

  describe "with request_buffering off" do
    let(:server) { start_server(app:, options: { request_buffering: false, threads: "4:16", body_timeout: "1s" }) }
    let(:connection) { RawConnection.open(server.port) }

    it "lets what nobody reads wait in the client's window" do
      # The connection's window is larger than the stream's, once that is said.
      connection.wait_for("WINDOW_UPDATE") { |frame| frame.type == Frames::WINDOW_UPDATE }
      connection.write(post(1, "/hold", size: gib))
      besiege(server, memory: 16 * Siege::MIB) do
        expect(pour_within_windows(connection, 1, gib, patience: 1)).to eq(1 << 20)
      end
      curl(server.url("/done"))
      expect(connection.wait_for_reset(1)).to eq(:no_error)
      expect(connection.status(1)).to eq(408)
    end

    it "resets a client that does not keep to its window" do
      connection.write(post(1, "/hold", size: gib))
      besiege(server, memory: 16 * Siege::MIB) do
        pour(connection, 1, gib / 16)
        ending = connection.wait_for("an end") { |frame| [Frames::RST_STREAM, Frames::GOAWAY].include?(frame.type) }
        expect(ending.reason).to eq(:flow_control_error)
      end
      curl(server.url("/done"))
    end

    it "stops uploads that are answered without being read" do
      besiege(server, memory: 16 * Siege::MIB) do
        10.times do |index|
          stream = (index * 2) + 1
          connection.write(post(stream, "/refuse", size: gib))
          # A window, and another for what had come before the app was done.
          expect(pour_within_windows(connection, stream, gib, patience: 0.2)).to be <= 2 << 20
        end
        expect((1..19).step(2).map { |stream| connection.wait_for_reset(stream) }.uniq).to eq([:no_error])
      end
    end
  end

  describe "with request_buffering on" do
    it "keeps an upload out of memory, and within spill_limit" do
      server = start_server(app:, options: { spill_limit: "64MiB", body_timeout: "5s" })
      connection = RawConnection.open(server.port)
      besiege(server, memory: 24 * Siege::MIB) do
        connection.write(post(1, "/read", size: gib))
        expect(pour_within_windows(connection, 1, gib, patience: 15)).to be < 70 << 20
        expect(connection.status(1)).to eq(503)
      end
    end

    it "refuses an upload that is larger than allowed" do
      server = start_server(app:, options: { max_body_size: "8MiB" })
      connection = RawConnection.open(server.port)
      besiege(server, memory: 24 * Siege::MIB) do
        connection.write(post(1, "/read"))
        expect(pour_within_windows(connection, 1, gib, patience: 15)).to be_between(8 << 20, 10 << 20)
        expect(connection.status(1)).to eq(413)
        expect(connection.wait_for_reset(1)).to eq(:no_error)
      end
    end

    it "ends an upload of single bytes, by its size or for their number" do
      server = start_server(app:, options: { max_body_size: "64KiB" })
      connection = RawConnection.open(server.port)
      besiege(server, memory: 16 * Siege::MIB) do
        connection.write(post(1, "/read"))
        connection.flood(100_000) { data(1, "x") }
        ending = connection.wait_for("an end") do |frame|
          frame.type == Frames::GOAWAY || (frame.type == Frames::HEADERS && frame.stream == 1)
        end
        expect(ending.type == Frames::GOAWAY ? ending.reason : ending.status).to eq(:enhance_your_calm).or eq(413)
      end
    end

    it "resets uploads that dribble" do
      server = start_server(app:, options: { body_timeout: "1s" })
      connection = RawConnection.open(server.port)
      streams = (1..199).step(2).to_a
      besiege(server, memory: 16 * Siege::MIB) do
        connection.write(streams.map { |stream| post(stream, "/read", size: 1000) }.join)
        until (left = streams - connection.resets.keys).empty?
          connection.write(left.map { |stream| data(stream, "x") }.join)
          connection.synchronize
          sleep(0.02)
        end
      end
      expect(connection.resets.values.uniq).to eq([:cancel])
    end
  end

  it "ends DATA of one byte that nobody reads" do
    server = start_server(app:, options: { request_buffering: false })
    connection = RawConnection.open(server.port)
    besiege(server, memory: 24 * Siege::MIB) do
      connection.write(headers(1, request("/hold", method: "POST", fields: { "expect" => "100-continue" }), body: true))
      expect(connection.flood(100_000) { data(1, "x") }).to be < 100_000
      expect(connection.wait_for_goaway).to eq(:enhance_your_calm)
    end
    curl(server.url("/done"))
  end
end
