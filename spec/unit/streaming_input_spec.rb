# frozen_string_literal: true

require "hyperion_rs/streaming"

RSpec.describe HyperionRs::StreamingInput do
  # Chunks as the Rust side hands them out: to one reader at a time.
  let(:reader) do
    Class.new do
      def initialize
        @chunks = Thread::Queue.new
        @turn = Mutex.new
      end

      def push(*chunks) = chunks.each { |chunk| @chunks << chunk }
      def finish = @chunks.close
      def trailers = nil
      def waiting? = @chunks.num_waiting.positive?

      def read_chunk
        raise "two readers at once" unless @turn.try_lock

        begin
          @chunks.pop
        ensure
          @turn.unlock
        end
      end
    end.new
  end
  let(:input) { described_class.new(reader) }

  def fill(*chunks)
    reader.push(*chunks)
    reader.finish
  end

  it "lets threads take turns" do
    threads = Array.new(4) { Thread.new { input.read(3) } }
    Thread.pass until reader.waiting?
    fill("abcd", "efghi", "jkl")
    expect(threads.map { |thread| thread.join(30)&.value }).to match_array(%w[abc def ghi jkl])
    expect(input.read(1)).to be_nil
  end

  it "reads lines across chunks" do
    fill("on", "e\ntw", "o\r\n", "\nrest")
    expect([input.gets, input.gets(chomp: true), input.gets("\n"), input.gets, input.gets])
      .to eq(["one\n", "two", "\n", "rest", nil])
  end

  it "reads the rest as one line without a separator" do
    fill("a\n", "b")
    expect([input.gets(nil), input.gets(nil)]).to eq(["a\nb", nil])
  end
end
