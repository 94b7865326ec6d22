# frozen_string_literal: true

RSpec.describe "limits" do
  include Frames

  # /wait answers when somebody asks for /go.
  app = <<~RUBY
    GO = Queue.new
    run lambda { |env|
      case env["PATH_INFO"]
      when "/wait" then [200, {}, [GO.pop]]
      when "/go"
        GO << "went"
        [200, {}, ["gone"]]
      else [200, {}, ["hello"]]
      end
    }
  RUBY

  def open_connection(server, **settings)
    RawConnection.open(server.port, settings:)
  end

  it "max_connections: a further connection waits until another ends" do
    server = start_server(app:, options: { max_connections: 2 })
    first, second = Array.new(2) { open_connection(server) }
    third = RawConnection.bare(server.port)
    third.write(Frames::PREFACE + settings + headers(1))
    first.synchronize
    expect { third.wait_for_end(1, within: 0.3) }.to raise_error(RawConnection::Failed)
    first.close
    expect(third.status(1)).to eq(200)
    # Nor did the other one make room.
    second.synchronize
  end

  it "max_in_flight: a further request is refused, and one later is not" do
    server = start_server(app:, options: { max_in_flight: 2 })
    connection = open_connection(server)
    connection.write(headers(1, request("/wait")) + headers(3, request("/go-nowhere", method: "POST"), body: true))
    connection.write(headers(5))
    expect(connection.wait_for_reset(5)).to eq(:refused_stream)
    connection.write(data(3, last: true))
    connection.wait_for_end(3)
    connection.write(headers(7, request("/go")))
    [7, 1].each { |stream| connection.wait_for_end(stream) }
  end

  it "h2_max_concurrent_streams: a further stream is refused" do
    server = start_server(app:, options: { h2_max_concurrent_streams: 2 })
    connection = open_connection(server)
    connection.write([1, 3, 5].map { |stream| headers(stream, body: true) }.join)
    expect(connection.wait_for_reset(5)).to eq(:refused_stream)
    connection.write(data(1, last: true))
    connection.wait_for_end(1)
    connection.write(headers(7))
    connection.wait_for_end(7)
  end

  it "h2_initial_window_size: more is a flow control error" do
    server = start_server(app:, options: { h2_initial_window_size: "64KiB", request_buffering: false })
    connection = open_connection(server)
    # The connection's window is larger, once that is said.
    connection.wait_for("WINDOW_UPDATE") { |frame| frame.type == Frames::WINDOW_UPDATE }
    connection.write(headers(1, request("/wait", method: "POST"), body: true))
    connection.write(Array.new(5) { data(1, "x" * 16_384) }.join)
    expect(connection.wait_for_reset(1)).to eq(:flow_control_error)
    connection.write(headers(3))
    connection.wait_for_end(3)
  end

  it "h2_max_frame_size: a larger frame is an error" do
    server = start_server(app:, options: { h2_max_frame_size: "16KiB" })
    [16_384, 16_385].zip([nil, :frame_size_error]) do |size, error|
      connection = open_connection(server)
      connection.write(headers(1, body: true) + data(1, "x" * size))
      error ? expect(connection.wait_for_goaway).to(eq(error)) : connection.synchronize
    end
  end

  it "h2_max_header_list_size: a larger head is answered 431" do
    server = start_server(app:, options: { h2_max_header_list_size: "8KiB" })
    connection = open_connection(server)
    [7_000, 9_000].each_with_index do |size, index|
      connection.write(headers((index * 2) + 1, request + field("x", "v" * size)))
    end
    expect([1, 3].map { |stream| connection.status(stream) }).to eq([200, 431])
  end
end
