# frozen_string_literal: true

# gRPC in a Rack app, with no library but Rack:
#
#     hyperion-rs -p 9292 examples/grpc.ru
#
# hyperion-rs calls the app as soon as the head of a gRPC request is there, with a `rack.input` that reads messages as
# they come; it sends what the body yields at once, and then what `trailers` answers. So all four kinds of methods have
# one shape: they take an Enumerable of requests and answer an Enumerable of responses, either of which may be lazy.
# Messages are Strings here: encode and decode them by whichever library you like. A call holds a thread while it lasts.

# A set of methods by path.
class Grpc
  # Codes of https://grpc.github.io/grpc/core/md_doc_statuscodes.html.
  OK = 0
  UNKNOWN = 2
  INVALID_ARGUMENT = 3
  UNIMPLEMENTED = 12

  HEADERS = { "content-type" => "application/grpc" }.freeze

  # Ends a call with a status other than OK.
  class Error < StandardError
    attr_reader :code

    def initialize(code, message)
      @code = code
      super(message)
    end
  end

  # The messages of a request, read one by one.
  class Requests
    include Enumerable

    def initialize(input)
      @input = input
    end

    def each
      while (prefix = @input.read(5))
        compressed, length = prefix.unpack("CN")
        raise Error.new(UNIMPLEMENTED, "messages are not compressed here") unless compressed&.zero?

        yield @input.read(length)
      end
    end
  end

  # A response body: the messages, each with its prefix, and then the status.
  class Responses
    def initialize(requests, method)
      @requests = requests
      @method = method
      @status = [OK, ""]
    end

    def each
      @method.call(@requests).each { |message| yield [0, message.bytesize].pack("CN") + message.b }
    rescue Error => e
      @status = [e.code, e.message]
    end

    def trailers
      Grpc.status(*@status)
    end
  end

  # The fields that tell how a call ended.
  def self.status(code, message)
    escaped = message.b.gsub(/[^ -$&-~]/n) { |byte| format("%%%02X", byte.ord) }
    { "grpc-status" => code.to_s, "grpc-message" => escaped }
  end

  def initialize(methods)
    @methods = methods
  end

  def call(env)
    method = @methods[env["PATH_INFO"]]
    return [200, HEADERS, Responses.new(Requests.new(env["rack.input"]), method)] if method

    # "Trailers-Only": the status is in the head, and there is nothing else.
    [200, HEADERS.merge(Grpc.status(UNIMPLEMENTED, "no method #{env['PATH_INFO']}")), []]
  end
end

GREETER = {
  "/Greeter/Hello" => ->(requests) { ["Hello, #{requests.first}"] },
  "/Greeter/HelloAll" => ->(requests) { ["Hello, #{requests.to_a.join(' and ')}"] },
  "/Greeter/HelloAgain" => lambda { |requests|
    name = requests.first
    (1..3).lazy.map { |number| "Hello #{number}, #{name}" }
  },
  "/Greeter/HelloEach" => ->(requests) { requests.lazy.map { |name| "Hello, #{name}" } }
}.freeze

run Grpc.new(GREETER)
