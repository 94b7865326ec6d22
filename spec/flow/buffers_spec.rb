# frozen_string_literal: true

RSpec.describe "buffers of responses" do
  include Frames

  # /large makes 8 MB piece by piece, and so does /impatient, until /interrupt, which tells when that has given up;
  # /progress tells how many bytes were taken.
  app = <<~RUBY
    PIECE = "x" * 10_000
    TAKEN = Queue.new
    WAITING = Queue.new
    INTERRUPTED = Queue.new

    def pieces
      Enumerator.new do |out|
        800.times do
          out << yield
          TAKEN << PIECE.bytesize
        end
      end
    end

    def impatient
      WAITING << Thread.current
      pieces { PIECE }.each { |piece| yield piece }
    rescue Interrupt
      INTERRUPTED << true
      raise "interrupted"
    end

    def interrupt
      WAITING.pop.raise(Interrupt)
      INTERRUPTED.pop.to_s
    end

    run lambda { |env|
      case env["PATH_INFO"]
      when "/large" then [200, {}, pieces { PIECE }]
      when "/impatient" then [200, {}, Enumerator.new { |out| impatient { |piece| out << piece } }]
      when "/progress" then [200, {}, [(TAKEN.size * PIECE.bytesize).to_s]]
      when "/interrupt" then [200, {}, [interrupt]]
      else [200, {}, ["hello"]]
      end
    }
  RUBY

  # A request for a response that is not read.
  def hold(server, path = "/large")
    RawConnection.open(server.port, settings: { Frames::INITIAL_WINDOW_SIZE => 0 }).tap do |connection|
      connection.write(headers(1, request(path)))
      connection.status(1)
    end
  end

  def progress(server)
    Integer(curl(server.url("/progress")).body, 10)
  end

  # Waits until the app's bytes stay where they are, at no fewer than that; answers how many were taken.
  def stuck_at(server, least)
    last = nil
    eventually("the app waits") do
      before = last
      last = progress(server)
      before == last && last >= least
    end
    last
  end

  # All of a response that was held up to here.
  def expect_whole(connection)
    connection.write(window_update(0, 8 << 20) + window_update(1, 8 << 20))
    connection.wait_for_end(1)
    expect(connection.body(1).bytesize).to eq(8_000_000)
  end

  {
    "response_buffer" => [{ response_buffer: "1MiB", response_spill: 0 }, 1 << 20],
    "response_spill" => [{ response_buffer: "256KiB", response_spill: "2MiB" }, (2 << 20) + (256 << 10)],
    "spill_limit" => [{ response_buffer: "256KiB", spill_limit: "1MiB" }, (1 << 20) + (256 << 10)],
    "max_pending_bytes" => [{ response_buffer: "4MiB", max_pending_bytes: "1MiB", response_spill: 0 }, 1 << 20]
  }.each do |name, (options, size)|
    it "#{name}: the app waits when it is used up, and goes on when there is room" do
      server = start_server(app:, options:)
      connection = hold(server)
      # A piece may be on its way, and one beyond.
      expect(stuck_at(server, size - 20_000)).to be <= size + 80_000
      expect_whole(connection)
      expect(progress(server)).to eq(8_000_000)
    end
  end

  it "hold no thread before they are used up" do
    server = start_server(app:, options: { threads: "1:1" })
    connection = hold(server)
    expect(progress(server)).to eq(8_000_000)
    expect_whole(connection)
  end

  it "let an app that waits be interrupted" do
    server = start_server(app:, options: { response_spill: 0 })
    connection = hold(server, "/impatient")
    stuck_at(server, 200_000)
    expect(curl(server.url("/interrupt")).body).to eq("true")
    # What it had written comes first.
    connection.write(window_update(0, 8 << 20) + window_update(1, 8 << 20))
    expect(connection.wait_for_reset(1)).to eq(:internal_error)
  end

  it "spill to files that have no name and vanish with the response" do
    spill_dir = File.join(temporary_directory, "spill").tap { |path| Dir.mkdir(path) }
    server = start_server(app:, options: { spill_dir: })
    connection = hold(server)
    eventually("all of it is taken") { progress(server) == 8_000_000 }
    expect(spilled(server, spill_dir)).to eq(1)
    expect(Dir.children(spill_dir)).to be_empty
    connection.close
    eventually("the file is gone") { spilled(server, spill_dir).zero? }
  end

  def spilled(server, directory)
    Dir.glob("/proc/#{server.pid}/fd/*").count do |descriptor|
      File.readlink(descriptor).start_with?(directory)
    rescue Errno::ENOENT
      false
    end
  end
end
