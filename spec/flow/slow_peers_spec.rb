# frozen_string_literal: true

RSpec.describe "slow peers" do
  include Frames

  app = <<~RUBY
    BODY = "x" * 1_000_000
    run lambda { |env|
      case env["PATH_INFO"]
      when "/large" then [200, {}, Enumerator.new { |out| 100.times { out << BODY.byteslice(0, 10_000) } }]
      when "/upload" then [200, {}, [env["rack.input"].read.bytesize.to_s]]
      else [200, {}, ["hello"]]
      end
    }
  RUBY

  # As many threads as there are by default, and no more. The peers are slow for as long as a busy machine takes.
  let(:server) { start_server(app:, options: { threads: "4:4", write_timeout: 600, body_timeout: 600 }) }
  let(:streams) { (1..199).step(2).to_a }

  # Seconds that a request on a fresh connection takes.
  def time(server)
    start = Process.clock_gettime(Process::CLOCK_MONOTONIC)
    connection = RawConnection.open(server.port)
    connection.write(headers(1))
    connection.wait_for_end(1)
    connection.close
    Process.clock_gettime(Process::CLOCK_MONOTONIC) - start
  end

  # The medians of 30 requests to each, by turns.
  def medians(*servers)
    turns = Array.new(30) { servers.map { |server| time(server) } }
    turns.transpose.map { |times| times.sort.fetch(times.size / 2) }
  end

  # 100 responses of 1 MB on a connection of their own, and the app done with all of them.
  def slow_readers(window)
    RawConnection.open(server.port, settings: { Frames::INITIAL_WINDOW_SIZE => window }).tap do |connection|
      connection.write(streams.map { |stream| headers(stream, request("/large")) }.join)
      streams.each { |stream| connection.wait_for("the head") { |frame| frame.stream == stream } }
    end
  end

  def slow_uploads
    block = request("/upload", method: "POST", fields: { "content-length" => "1000000" })
    RawConnection.open(server.port).tap do |connection|
      connection.write(streams.map { |stream| headers(stream, block, body: true) + data(stream, "x" * 100) }.join)
      connection.synchronize
    end
  end

  # Gives each stream a byte of window, and each upload a byte, until the block is done.
  def dribble(readers, uploads)
    done = false
    dribbler = Thread.new do
      until done
        readers.write(streams.map { |stream| window_update(stream, 1) }.join)
        uploads.write(streams.map { |stream| data(stream, "x") }.join)
        sleep(0.05)
      end
    end
    yield
  ensure
    done = true
    dribbler.join
  end

  it "do not make others wait, nor hold a thread" do
    undisturbed = start_server(app:)
    readers = [0, 1].map { |window| slow_readers(window) }
    uploads = slow_uploads
    # Whatever else goes on may strike one of the two for a while: what the peers did to it would last.
    dribble(slow_readers(0), uploads) do
      eventually("others wait no longer than without them", within: 120) do
        crowded, alone = medians(server, undisturbed)
        crowded < (alone * 3) + 0.01
      end
    end
    # They are open all the same.
    expect([*readers, uploads].flat_map { |connection| connection.resets.values }).to be_empty
    readers.first.write(window_update(0, 1 << 20) + window_update(199, 1 << 20))
    readers.first.wait_for_end(199)
    expect(readers.first.body(199).bytesize).to eq(1_000_000)
  end
end
