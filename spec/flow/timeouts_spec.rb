# frozen_string_literal: true

RSpec.describe "timeouts" do
  include Frames

  let(:app) do
    <<~RUBY
      BODY = "x" * 1_000_000
      run lambda { |env|
        case env["PATH_INFO"]
        when "/large" then [200, {}, [BODY]]
        when "/read" then [200, {}, [env["rack.input"].read]]
        when "/sleep"
          sleep
        else [200, {}, ["hello"]]
        end
      }
    RUBY
  end

  # What happens has to happen about a second after the last thing that the block does before, and not sooner. A busy
  # machine may be late, but by less than any default.
  def after_a_second
    start = Process.clock_gettime(Process::CLOCK_MONOTONIC)
    yield
    expect(Process.clock_gettime(Process::CLOCK_MONOTONIC) - start).to be_between(0.9, 8)
  end

  def serve(**options)
    start_server(app:, options:)
  end

  # A connection whose request comes in one piece with the preface: a client that is held up is not idle in between.
  def request_at(server, block = request, window: 65_535, **head)
    settings = { Frames::INITIAL_WINDOW_SIZE => window }
    RawConnection.open(server.port, settings:, first: headers(1, block, **head))
  end

  it "tls_handshake_timeout: closes a connection whose handshake does not end" do
    server = start_server(app:, tls: true, options: { tls_handshake_timeout: "1s" })
    after_a_second { RawConnection.bare(server.port).wait_for_close }
  end

  it "header_timeout: closes a connection without a preface" do
    server = serve(header_timeout: "1s")
    after_a_second { RawConnection.bare(server.port).wait_for_close }
  end

  it "header_timeout: closes a connection whose head does not end" do
    connection = RawConnection.open(serve(header_timeout: "1s").port)
    after_a_second do
      connection.write(headers(1, flags: 0))
      expect(connection.wait_for_goaway).to eq(:enhance_your_calm)
    end
  end

  it "body_timeout: resets a request whose body does not come" do
    server = serve(body_timeout: "1s")
    connection = nil
    after_a_second do
      connection = request_at(server, body: true)
      expect(connection.wait_for_reset(1)).to eq(:cancel)
    end
    connection.synchronize
  end

  it "body_timeout: answers 408 when the app reads as it comes" do
    server = serve(body_timeout: "1s", request_buffering: false)
    after_a_second do
      connection = request_at(server, request("/read", method: "POST"), body: true)
      expect(connection.status(1)).to eq(408)
    end
  end

  it "write_timeout: resets a response that is not taken" do
    server = serve(write_timeout: "1s")
    connection = nil
    after_a_second do
      connection = request_at(server, request("/large"), window: 0)
      expect(connection.wait_for_reset(1)).to eq(:cancel)
    end
    connection.synchronize
  end

  it "keepalive_timeout: says goodbye to an idle connection" do
    server = serve(keepalive_timeout: "1s")
    after_a_second do
      connection = request_at(server)
      connection.wait_for_end(1)
      expect(connection.wait_for_goaway).to eq(:no_error)
    end
  end

  it "keepalive_timeout: lets a busy connection be" do
    connection = request_at(serve(keepalive_timeout: "0.2s"), request("/sleep"))
    expect { connection.wait_for_close(within: 1) }.to raise_error(RawConnection::Failed, /not closed/)
  end

  it "ping_interval: asks an idle peer, and leaves one that answers alone" do
    connection = RawConnection.open(serve(ping_interval: "0.2s", ping_timeout: "4s").port)
    # More than the time for an answer.
    22.times do
      frame = connection.next_frame
      frame = connection.next_frame until frame.type == Frames::PING
      connection.write(ping(frame.payload, ack: true))
    end
    expect(connection).not_to be_closed
  end

  it "ping_timeout: drops an idle peer that does not answer" do
    server = serve(ping_interval: "0.2s", ping_timeout: "0.8s")
    connection = nil
    after_a_second { connection = RawConnection.open(server.port).tap(&:wait_for_close) }
    expect(connection.frames.count { |frame| frame.type == Frames::PING }).to eq(1)
  end

  it "ping_timeout: drops a peer that does not answer although a request is open" do
    server = serve(ping_interval: "0.2s", ping_timeout: "0.8s")
    after_a_second { request_at(server, request("/sleep")).wait_for_close }
  end

  it "shutdown_timeout: ends the process although a request does not" do
    server = serve(shutdown_timeout: "1s")
    connection = request_at(server, request("/sleep"))
    connection.synchronize
    after_a_second { expect(server.stop.exitstatus).to eq(0) }
    connection.wait_for_close
  end
end
