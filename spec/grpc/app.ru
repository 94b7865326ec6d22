# frozen_string_literal: true

# Methods that do what the specs of gRPC want to see, on the Grpc class of the example.

require "json"
require "rack"

Rack::Builder.parse_file(File.expand_path("../../examples/grpc.ru", __dir__))

# What the app saw of calls that ended early, for whoever asks for /seen.
SEEN = Queue.new

def witness(what)
  yield
rescue HyperionRs::ClientDisconnected => e
  SEEN << { what:, error: e.class.name }
  raise
end

METHODS = {
  "/Test/Echo" => ->(requests) { requests.lazy },
  "/Test/Size" => ->(requests) { [requests.sum(&:bytesize).to_s] },
  "/Test/Bytes" => ->(requests) { ["x" * Integer(requests.first, 10)] },
  "/Test/Count" => ->(requests) { (1..Integer(requests.first, 10)).lazy.map(&:to_s) },
  "/Test/Fail" => ->(_) { raise Grpc::Error.new(Grpc::INVALID_ARGUMENT, "50% of caf\u00e9s\n") },
  "/Test/FailLate" => lambda { |requests|
    requests.lazy.map { |message| message == "bad" ? raise(Grpc::Error.new(Grpc::INVALID_ARGUMENT, "bad")) : message }
  },
  "/Test/Crash" => ->(_) { raise "a crash that is meant" },
  "/Test/Read" => ->(requests) { witness("read") { requests.to_a } },
  "/Test/Write" => lambda { |_|
    Enumerator.new { |responses| witness("write") { loop { responses << ("x" * 10_000) } } }
  }
}.freeze

# The metadata of the request comes back in the head and in the trailers.
class Mirror
  def initialize(env)
    @fields = env.select { |key, _| key.start_with?("HTTP_X_") }
                 .transform_keys { |key| key.delete_prefix("HTTP_").downcase.tr("_", "-") }
    @timeout = env["HTTP_GRPC_TIMEOUT"]
  end

  attr_reader :fields

  def each
    yield [0, @timeout.bytesize].pack("CN") + @timeout
  end

  def trailers
    @fields.transform_keys { |name| "#{name.delete_suffix('-bin')}-again#{'-bin' if name.end_with?('-bin')}" }
           .merge("grpc-status" => "0")
  end
end

grpc = Grpc.new(METHODS)
run lambda { |env|
  case env["PATH_INFO"]
  when "/seen" then [200, {}, [JSON.generate(SEEN.pop)]]
  when "/Test/Mirror"
    mirror = Mirror.new(env)
    [200, Grpc::HEADERS.merge(mirror.fields), mirror]
  else grpc.call(env)
  end
}
