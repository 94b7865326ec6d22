# frozen_string_literal: true

require "rack"

# Responses of each kind that the Rack SPEC allows. What the server does with them is told on stderr.
module Bodies
  TEXT = { "content-type" => "text/plain" }.freeze
  FILE = File.join(__dir__, "app.ru")

  def self.tell(what)
    $stderr.write("#{what}\n")
  end

  # Tells when it is closed.
  class Enumerable
    def initialize(name, *chunks)
      @name = name
      @chunks = chunks
    end

    def each(&)
      Bodies.tell("#{@name}: each after close") if @closed
      Bodies.tell("#{@name}: each again") if @begun
      @begun = true
      @chunks.each(&)
    end

    def close
      @closed = true
      Bodies.tell("#{@name}: closed")
    end
  end

  class Whole < Enumerable
    # "If the Body responds to both to_ary and close, its implementation of to_ary must call close" (Rack 3).
    def to_ary
      close if Rack.release >= "3"
      @chunks
    end
  end

  class Path < Enumerable
    def to_path = @chunks == ["nil"] ? nil : FILE
    def each = yield(to_path ? File.binread(to_path) : "no path")
  end

  class Both < Enumerable
    def call(_stream) = Bodies.tell("#{@name}: called")
  end

  # Headers that are no Hash (Rack 2).
  class Pairs
    def initialize(pairs) = @pairs = pairs
    def each(&) = @pairs.each(&)
    def to_a = @pairs.to_a
  end

  # What a Streaming Body finds out about its stream, which becomes its response.
  STREAMS = {
    "stream-write" => ->(stream) { [stream.write("written "), stream.write("again ")] },
    "stream-append" => ->(stream) { stream << "a " << "b " && [] },
    "stream-read" => ->(stream) { [stream.read(3), stream.read, stream.read(1), stream.read] },
    "stream-flush" => ->(stream) { [stream.flush && nil] },
    "stream-closed" => ->(stream) { [stream.closed?] },
    "stream-close-read" => ->(stream) { [stream.close_read, stream.closed?, stream.write("still ")] },
    "stream-close-write" => lambda { |stream|
      stream.write("all")
      stream.close_write
      stream.close_write
      stream.write("late")
    },
    "stream-close" => lambda { |stream|
      stream.write("all")
      stream.close
      tell("stream-close: closed #{stream.closed?}")
      stream.close
      stream.write("late")
    }
  }.freeze

  ANSWERS = {
    "array" => -> { [200, TEXT.dup, %w[a b c]] },
    "empty" => -> { [200, TEXT.dup, []] },
    "enumerator" => -> { [200, TEXT.dup, %w[a b].each] },
    "io" => -> { [200, TEXT.dup, File.open(FILE)] },
    "string-io" => -> { [200, TEXT.dup, StringIO.new("line 1\nline 2\n")] },
    "each" => -> { [200, TEXT.dup, Enumerable.new("each", "a", "", "b")] },
    "binary" => -> { [200, TEXT.dup, Enumerable.new("binary", "\xFF\0".b, "\u00e9")] },
    "to_ary" => -> { [200, TEXT.dup, Whole.new("to_ary", "a", "b")] },
    "to_path" => -> { [200, TEXT.dup, Path.new("to_path", "file")] },
    "no-path" => -> { [200, TEXT.dup, Path.new("no-path", "nil")] },
    "both" => -> { [200, TEXT.dup, Both.new("both", "each")] },
    "length" => -> { [200, TEXT.merge("content-length" => "2"), Enumerable.new("length", "ab")] },
    "head" => -> { [200, TEXT.merge("content-length" => "1234"), Enumerable.new("head")] },
    "private" => -> { [200, TEXT.merge("rack.anything" => "x"), ["a"]] },
    "newlines" => -> { [200, TEXT.merge("set-cookie" => "a=1\nb=2"), []] },
    "arrays" => -> { [200, TEXT.merge("set-cookie" => %w[a=1 b=2]), []] },
    "pairs" => -> { [200, Pairs.new(TEXT.merge("x-pair" => "1")), []] },
    "symbols" => -> { [200, TEXT.merge("!#$%&'*+-.^_`|~09az" => "x y; \"\u00e9\""), []] },
    "partial" => -> { [200, TEXT.merge("rack.hijack" => ->(io) { io.write("by hand") && io.close }), ["ignored"]] }
  }.freeze

  def self.answer(name, env)
    return [Integer(name), {}, []] if name.match?(/\A\d+\z/)
    return [name.delete_prefix("text-"), {}, []] if name.start_with?("text-")
    return [200, TEXT.dup, streaming(name)] if STREAMS.key?(name)

    env["rack.input"].read if name == "read"
    ANSWERS.fetch(name).call
  end

  def self.streaming(name)
    lambda do |stream|
      stream.write(STREAMS.fetch(name)[stream].inspect)
    rescue IOError => e
      tell("#{name}: refused by #{e.class}")
    ensure
      stream.close
    end
  end

  # "The callables are called with environment, status, headers, error arguments, in reverse order."
  def self.finished(env)
    headers = { "x-a" => "1" }
    %w[first second].each do |name|
      env["rack.response_finished"] << lambda { |*arguments|
        given, status, fields, error = arguments
        told = [arguments.size, given["PATH_INFO"], status, fields && fields["x-a"], error&.class]
        tell("finished #{name}: #{told.inspect}")
      }
    end
    env["PATH_INFO"].end_with?("raise") ? raise("an error that is meant") : [200, headers, ["a"]]
  end
end
