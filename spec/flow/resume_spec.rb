# frozen_string_literal: true

RSpec.describe "responses under flow control" do
  include Frames

  bytes = (0..255).to_a.pack("C*") * 800
  app = <<~RUBY
    BYTES = (0..255).to_a.pack("C*") * 800
    run lambda { |env|
      body = BYTES.byteslice(0, Integer(env["QUERY_STRING"]))
      case env["PATH_INFO"]
      when "/whole" then [200, {}, [body]]
      when "/chunks" then [200, {}, Enumerator.new { |out| 0.step(body.size - 1, 500) { |at| out << body[at, 500] } }]
      when "/file"
        File.binwrite("body", body)
        [200, {}, File.open("body", "rb")]
      end
    }
  RUBY

  let(:server) { start_server(app:) }

  # Reads a response through a window that is given back as it is used.
  def fetch(target, window)
    connection = RawConnection.open(server.port, settings: { Frames::INITIAL_WINDOW_SIZE => window })
    connection.write(headers(1, request(target)))
    body = "".b
    until (frame = connection.next_frame).end_stream?
      next unless frame.type == Frames::DATA

      size = frame.payload.bytesize
      expect(size).to be <= window
      body << frame.payload
      connection.write(window_update(0, size) + window_update(1, size))
    end
    body << frame.payload
  end

  { 1 => 1000, 2 => 1000, 3 => 1000, 100 => 30_000, 1023 => 200_000, 9000 => 200_000, 65_535 => 200_000,
    65_536 => 200_000, 1 << 20 => 200_000, Frames::MAX_WINDOW => 200_000 }.each do |window, size|
    it "come whole through a window of #{window} bytes" do
      %w[/chunks /whole /file].each do |path|
        expect(fetch("#{path}?#{size}", window) == bytes.byteslice(0, size)).to be(true), path
      end
    end
  end

  describe "that is shut" do
    let(:size) { 10_240 }
    let(:body) { bytes.byteslice(0, size) }
    let(:connection) { RawConnection.open(server.port, settings: { Frames::INITIAL_WINDOW_SIZE => 0 }) }

    before do
      connection.write(headers(1, request("/whole?10240")))
      connection.wait_for("the head") { |frame| frame.stream == 1 }
      connection.synchronize
      expect(connection.data_frames(1)).to be_empty
    end

    it "go on after a WINDOW_UPDATE of the stream" do
      connection.write(window_update(1, size))
      connection.wait_for_end(1)
      expect(connection.body(1) == body).to be(true)
    end

    it "go on after a change of the SETTINGS" do
      connection.write(settings(Frames::INITIAL_WINDOW_SIZE => size))
      connection.wait_for_end(1)
      expect(connection.body(1) == body).to be(true)
    end

    it "wait for a window that SETTINGS have made negative" do
      connection.write(settings(Frames::INITIAL_WINDOW_SIZE => 100))
      connection.wait_for("100 bytes") { connection.body(1).bytesize == 100 }
      connection.write(settings(Frames::INITIAL_WINDOW_SIZE => 0) + window_update(1, 100))
      connection.synchronize
      expect(connection.body(1).bytesize).to eq(100)
      connection.write(window_update(1, size - 100))
      connection.wait_for_end(1)
    end
  end

  it "go on after a WINDOW_UPDATE of the connection" do
    body = bytes.byteslice(0, 10_240)
    connection = RawConnection.open(server.port, settings: { Frames::INITIAL_WINDOW_SIZE => 1 << 20 })
    streams = (1..19).step(2).to_a
    connection.write(streams.map { |stream| headers(stream, request("/whole?10240")) }.join)
    received = -> { streams.sum { |stream| connection.body(stream).bytesize } }
    connection.wait_for("the first window") { received.call == 65_535 }
    connection.synchronize
    expect(received.call).to eq(65_535)
    connection.write(window_update(0, 1 << 20))
    streams.each { |stream| connection.wait_for_end(stream) }
    expect(streams.all? { |stream| connection.body(stream) == body }).to be(true)
  end
end
