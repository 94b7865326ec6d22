# frozen_string_literal: true

# Does whatever the Rack SPEC lets an application do, and watches whether the server does what it must.

require "json"
require "stringio"
require_relative "sentences"
require_relative "bodies"

# Sees the environment as the server made it, before Rack::Lint has wrapped any of it.
class Witness
  def initialize(app)
    @app = app
  end

  def call(*arguments)
    env, = arguments
    return @app.call(env) unless env.key?("HTTP_X_WITNESS")

    # Debian 12's curl waits for ever after a response that ends before its request does.
    env["rack.input"].read
    report = { arguments: arguments.size, env: strings(env), violations: violations(env) }
    # In a header, which HEAD has as well.
    [200, { "x-report" => JSON.generate(report, ascii_only: true) }, []]
  end

  private

  def violations(env)
    Sentences::ALL.to_h { |sentence| [sentence.text, sentence.violation(env)] }.compact
  end

  def strings(env)
    env.select { |_, value| value.is_a?(String) }
       .transform_values { |value| value.b.encode(Encoding::UTF_8, Encoding::ISO_8859_1) }
  end
end

# What may be done with an input stream.
INPUTS = {
  "read" => ->(input) { [input.read, input.read, input.read(nil)] },
  "read-zero" => ->(input) { [input.read(0), input.read.bytesize] },
  "read-length" => ->(input) { [input.read(3), input.read(1 << 30)&.bytesize, input.read(1)] },
  "read-buffer" => lambda { |input|
    buffer = +"before"
    [input.read(4, buffer).equal?(buffer), buffer.dup, input.read(nil, buffer).bytesize, input.read(1, buffer), buffer]
  },
  "gets" => ->(input) { [input.gets, input.gets, nil].tap { input.read }.push(input.gets) },
  "each" => ->(input) { input.to_enum(:each).to_a.then { |parts| [parts.join, parts.all?(String)] } },
  "encoding" => ->(input) { [input.gets, input.read(1), input.read].compact.map { |read| read.encoding.to_s }.uniq },
  "close" => ->(input) { [input.read(1), input.close] },
  "rewind" => ->(input) { [input.read(3), input.rewind, input.read, input.rewind, input.gets] }
}.freeze

APP = lambda { |env|
  _, kind, name = env["PATH_INFO"].split("/", 3)
  case kind
  when "input" then [200, {}, [JSON.generate(INPUTS.fetch(name)[env["rack.input"]])]]
  when "errors"
    env["rack.errors"].tap { |errors| errors.puts(:a_symbol) || errors.write("written\n") && errors.flush }
    [200, {}, []]
  when "hints"
    env["rack.early_hints"].call("link" => "</style.css>; rel=preload")
    [200, {}, ["hinted"]]
  when "finished" then Bodies.finished(env)
  else Bodies.answer(name, env)
  end
}

use Witness
use Rack::Lint
run APP
