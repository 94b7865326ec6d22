# frozen_string_literal: true

require_relative "frames"
require_relative "raw_socket"

# An HTTP/2 connection that sends what it is told, right or wrong, and keeps what comes back.
class RawConnection < RawSocket
  # What was waited for did not come.
  class Failed < StandardError
  end

  # A connection on which both sides have said their SETTINGS. The `first` frames go with the client's, so that no
  # timeout of the server's is on between them.
  def self.open(port, settings: {}, tls: false, first: "")
    bare(port, tls:).tap { |connection| connection.greet(settings, first:) }
  end

  # Every frame received so far, but for the payloads of DATA that `forget_data` drops.
  attr_reader :frames
  # Bytes of DATA received so far.
  attr_reader :received

  def initialize(io)
    super
    @unparsed = "".b
    @frames = []
    @seen = 0
    @received = 0
    @greeted = false
  end

  # Sends the client preface, and acknowledges the server's SETTINGS, so that nothing comes between later frames.
  def greet(settings = {}, first: "")
    @greeted = true
    write(Frames::PREFACE + Frames.settings(settings) + first)
    wait_for("SETTINGS") { |frame| frame.type == Frames::SETTINGS }
    write("")
  end

  # Drops the payloads of DATA as they come: for floods of responses. Answers the connection.
  def forget_data
    @forgetful = true
    self
  end

  # Sends what the block makes of each index, in batches, until the server closes or the count is reached; answers how
  # many were sent.
  def flood(count, batch: 100, within: PATIENCE, &frames)
    deadline = Deadline.new(within)
    (0...count).each_slice(batch) do |indexes|
      return indexes.first unless write(indexes.map(&frames).join, within: deadline.remaining)
    end
    count
  end

  # The frames one by one, each once; waits for the next.
  def next_frame(within: PATIENCE)
    deadline = Deadline.new(within)
    while @frames.size == @seen
      raise Failed, "no frame came; the last ones: #{summary}" if @closed || deadline.passed?

      step(deadline.remaining)
    end
    @frames.fetch((@seen += 1) - 1)
  end

  # The first frame, also of those received before, for which the block is true.
  def wait_for(what, within: PATIENCE, &condition)
    deadline = Deadline.new(within)
    seen = 0
    loop do
      found = @frames.drop(seen).find(&condition)
      return found if found

      seen = @frames.size
      raise Failed, "#{what} did not come; instead: #{summary}" if @closed || deadline.passed?

      step(deadline.remaining)
    end
  end

  # Bytes that flow control allows beyond the `sent` ones of the only upload; waits for some until the server is silent
  # for so long, or has reset the stream.
  def window(stream, sent, patience)
    deadline = Deadline.new(patience)
    loop do
      left = [received_window(0, 65_535), received_window(stream, initial_window)].min - sent
      return left if left.positive? || @closed || resets.key?(stream) || deadline.passed?

      step(deadline.remaining)
    end
  end

  # Waits until the server has taken note of all that was sent: it answers a PING.
  def synchronize(within: PATIENCE)
    payload = [rand(2**63)].pack("Q")
    write(Frames.ping(payload))
    wait_for("the answer to PING", within:) { |frame| frame.type == Frames::PING && frame.payload == payload }
  end

  # Waits for the end of a response.
  def wait_for_end(stream, within: PATIENCE)
    wait_for("the end of stream #{stream}", within:) { |frame| frame.stream == stream && frame.end_stream? }
  end

  # The status of a response; waits for its head.
  def status(stream, within: PATIENCE)
    wait_for("the head of stream #{stream}", within:) do |frame|
      frame.stream == stream && frame.type == Frames::HEADERS
    end.status
  end

  # The reason for which the server reset the stream.
  def wait_for_reset(stream, within: PATIENCE)
    wait_for("RST_STREAM of #{stream}", within:) do |frame|
      frame.stream == stream && frame.type == Frames::RST_STREAM
    end.reason
  end

  # The reason for which the server closes the connection; waits until it has.
  def wait_for_goaway(within: PATIENCE)
    wait_for_close(within:)
    goaway = @frames.reverse.find { |frame| frame.type == Frames::GOAWAY }
    raise Failed, "closed without GOAWAY; instead: #{summary}" unless goaway

    goaway.reason
  end

  def wait_for_close(within: PATIENCE)
    deadline = Deadline.new(within)
    step(deadline.remaining) until @closed || deadline.passed?
    raise Failed, "not closed; instead: #{summary}" unless @closed
  end

  # The DATA of a stream so far.
  def body(stream)
    data_frames(stream).map(&:payload).join
  end

  def data_frames(stream)
    @frames.select { |frame| frame.type == Frames::DATA && frame.stream == stream }
  end

  # The reasons of all RST_STREAM frames so far, by stream; of each stream the first.
  def resets
    resets = @frames.select { |frame| frame.type == Frames::RST_STREAM }
    resets.reverse.to_h { |frame| [frame.stream, frame.reason] }
  end

  private

  def received_window(stream, initial)
    updates = @frames.select { |frame| frame.type == Frames::WINDOW_UPDATE && frame.stream == stream }
    updates.sum(initial) { |frame| frame.payload.unpack1("N") }
  end

  def initial_window
    settings = @frames.find { |frame| frame.type == Frames::SETTINGS }.payload.unpack("nN" * 10)
    settings.each_slice(2).to_h.fetch(Frames::INITIAL_WINDOW_SIZE, 65_535)
  end

  def take(chunk)
    @unparsed << chunk
    while @unparsed.bytesize >= 9
      high, low, type, flags, stream = @unparsed.unpack("CnCCN")
      size = 9 + (high << 16) + low
      break if @unparsed.bytesize < size

      payload = @unparsed.byteslice(9, size - 9)
      @unparsed = @unparsed.byteslice(size..)
      keep(Frames::Frame.new(type, flags, stream, payload))
    end
  end

  def keep(frame)
    count(frame) if frame.type == Frames::DATA
    @frames << frame
    return unless @greeted && frame.type == Frames::SETTINGS && frame.flags.nobits?(Frames::ACK)

    @outgoing << Frames.settings_ack
  end

  def count(data)
    @received += data.payload.bytesize
    data.payload = nil if @forgetful
  end

  def summary
    @frames.last(20).map { |frame| "#{frame.type}/#{frame.flags} on #{frame.stream}" }.join(", ") +
      (@closed ? ", closed" : "")
  end
end
