# frozen_string_literal: true

RSpec.describe "streams that share a connection" do
  include Frames

  # /made answers when as many chunks were made as its query says.
  app = <<~RUBY
    BODY = "x" * 1_000_000
    MADE = Queue.new

    def chunks
      Enumerator.new do |out|
        100.times do
          out << BODY.byteslice(0, 10_000)
          MADE << true
        end
      end
    end

    run lambda { |env|
      case env["PATH_INFO"]
      when "/whole" then [200, {}, [BODY]]
      when "/chunks" then [200, {}, chunks]
      when "/made" then [200, {}, [Integer(env["QUERY_STRING"]).times { MADE.pop }.to_s]]
      when "/file" then [200, {}, File.open("body", "rb")]
      else [200, {}, ["small"]]
      end
    }
  RUBY

  let(:streams) { (1..199).step(2).to_a }
  let(:server) { start_server(app:).tap { write_file("body", "x" * 1_000_000) } }
  let(:connection) do
    RawConnection.open(server.port, settings: { Frames::INITIAL_WINDOW_SIZE => 1 << 20 }).forget_data
  end

  # Opens the connection's window bit by bit, so that the streams compete, until the block is content; answers how many
  # bytes it has let through, of which the server has used every one before there are more.
  def open_window_until(step: 262_144)
    before = @opened || 0
    @opened ||= 65_535
    until yield
      raise "no end after #{@opened} bytes" if @opened > 120 << 20

      connection.write(window_update(0, step))
      @opened += step
      connection.wait_for("the bytes of the window") { connection.received == @opened }
    end
    @opened - before
  end

  def served
    connection.frames.filter_map { |frame| frame.stream if frame.type == Frames::DATA }.uniq
  end

  %w[/whole /chunks /file].each do |path|
    it "all get some of their 100 MB before any has had much (#{path})" do
      connection.write(streams.map { |stream| headers(stream, request(path)) }.join)
      streams.each { |stream| connection.wait_for("the head") { |frame| frame.stream == stream } }
      curl(server.url("/made?10000")) if path == "/chunks"
      # A hundred turns, and as much again.
      expect(open_window_until { served.size == streams.size }).to be < 2 * 100 * 65_536
    end
  end

  it "do not make a small response wait for large ones" do
    connection.write(streams.first(20).map { |stream| headers(stream, request("/whole")) }.join)
    open_window_until { served.size == 20 }
    connection.write(headers(201, request("/small")))
    connection.status(201)
    opened = open_window_until { connection.frames.any? { |frame| frame.stream == 201 && frame.end_stream? } }
    expect(opened).to be < 8 << 20
  end
end
