# frozen_string_literal: true

require "rack"
require "uri"

# What the Rack SPEC says about the environment, sentence by sentence, with what has to hold of the one that the server
# made. The words are those of Rack 3.2, and of Rack 2.2 where only that has them.
module Sentences
  Sentence = Struct.new(:text, :check) do
    # What is wrong, or nil.
    def violation(env)
      held = check.call(env)
      held ? nil : "it does not hold"
    rescue StandardError => e
      e.full_message(highlight: false)
    end
  end

  ALL = [] # rubocop:disable Style/MutableConstant -- filled below
  # Keys of CGI, and those that the servers of Ruby have always had.
  CGI = %w[REQUEST_METHOD SCRIPT_NAME PATH_INFO QUERY_STRING SERVER_NAME SERVER_PORT SERVER_PROTOCOL SERVER_SOFTWARE
           REMOTE_ADDR REQUEST_URI HTTPS CONTENT_TYPE CONTENT_LENGTH].freeze
  OF_RACK = %w[rack.version rack.url_scheme rack.input rack.errors rack.multithread rack.multiprocess rack.run_once
               rack.hijack? rack.hijack rack.hijack_io rack.early_hints rack.response_finished rack.protocol].freeze
  TOKEN = /\A[0-9A-Za-z!#$%&'*+.^_`|~-]+\z/

  # `rack` is the generation that has the sentence, if not both.
  def self.sentence(text, rack: Rack.release.to_i, &check)
    ALL << Sentence.new(text, check).freeze if rack == Rack.release.to_i
  end

  def self.boolean?(value)
    [true, false].include?(value)
  end

  def self.host?(name)
    URI("http://#{name}/").host == name
  end

  sentence("The environment must be an unfrozen Hash") { |env| env.instance_of?(Hash) && !env.frozen? }
  sentence("The Rack application is free to modify the environment") do |env|
    # A later request must not see it.
    !env.key?("conformance.mark") && env.store("conformance.mark", true)
  end
  sentence("All environment keys must be strings") { |env| env.keys.all?(String) }
  sentence("The environment is required to include these variables") do |env|
    %w[REQUEST_METHOD SCRIPT_NAME QUERY_STRING SERVER_NAME SERVER_PORT].all? { |key| env.key?(key) }
  end
  sentence("The CGI keys (named without a period) must have String values") do |env|
    env.all? { |key, value| key.include?(".") || value.instance_of?(String) }
  end
  sentence("If the values for CGI keys contain non-ASCII characters, they should use ASCII-8BIT encoding") do |env|
    env.all? { |key, value| key.include?(".") || value.ascii_only? || value.encoding == Encoding::BINARY }
  end
  sentence("The server can store their own data in the environment; the keys must contain at least one dot") do |env|
    (env.keys.grep_v(/\AHTTP_/) - CGI).all? { |key| key.include?(".") }
  end
  sentence("The prefix rack. is reserved for use with the Rack specification") do |env|
    (env.keys.grep(/\Arack\./) - OF_RACK).empty?
  end
  sentence("REQUEST_METHOD cannot ever be an empty string, and so is always required") do |env|
    env["REQUEST_METHOD"].match?(TOKEN)
  end
  sentence("SCRIPT_NAME, if non-empty, must start with /") { |env| env["SCRIPT_NAME"].match?(%r{\A(/.+)?\z}) }
  sentence("In addition, SCRIPT_NAME MUST not be /, but instead be empty") { |env| env["SCRIPT_NAME"] != "/" }
  sentence("One of SCRIPT_NAME or PATH_INFO must be set") do |env|
    # `OPTIONS *` has neither where no Rack of that generation knows the asterisk.
    !(env["SCRIPT_NAME"] + env["PATH_INFO"]).empty? || (env["REQUEST_URI"] == "*" && Rack.release < "3.1")
  end
  sentence("Only OPTIONS requests may have PATH_INFO set to * (asterisk-form)", rack: 3) do |env|
    env["PATH_INFO"] != "*" || env["REQUEST_METHOD"] == "OPTIONS"
  end
  sentence("PATH_INFO must start with a / and must not include a fragment part starting with #") do |env|
    env["PATH_INFO"].match?(%r{\A(/[^#]*)?\z}) || env["PATH_INFO"] == "*"
  end
  sentence("QUERY_STRING may be empty, but is always required!") { |env| env["QUERY_STRING"].match?(/\A[^?#]*\z/) }
  sentence("SERVER_NAME must be a valid host") { |env| host?(env["SERVER_NAME"]) }
  sentence("SERVER_PROTOCOL must match the regular expression HTTP/\\d(\\.\\d)?") do |env|
    env["SERVER_PROTOCOL"].match?(%r{\AHTTP/\d(\.\d)?\z})
  end
  sentence("SERVER_PORT must consist of digits only") { |env| env["SERVER_PORT"].match?(/\A\d+\z/) }
  sentence("CONTENT_LENGTH must consist of digits only") { |env| env.fetch("CONTENT_LENGTH", "0").match?(/\A\d+\z/) }
  sentence("HTTP_HOST, if present, must be a valid authority") do |env|
    host, port = env["HTTP_HOST"].match(/\A(.*?)(?::(\d+))?\z/).captures
    host?(host) && (port.nil? || port == env["SERVER_PORT"])
  end
  sentence("The environment must not contain the keys HTTP_CONTENT_TYPE or HTTP_CONTENT_LENGTH") do |env|
    !env.key?("HTTP_CONTENT_TYPE") && !env.key?("HTTP_CONTENT_LENGTH")
  end
  sentence("rack.url_scheme must either be http or https") { |env| %w[http https].include?(env["rack.url_scheme"]) }
  sentence("rack.version must be an array of Integers", rack: 2) { |env| env["rack.version"].all?(Integer) }
  sentence("rack.multithread: true if the application object may be simultaneously invoked by another thread",
           rack: 2) { |env| env["rack.multithread"].equal?(true) }
  sentence("rack.multiprocess: true if it may be simultaneously invoked by another process", rack: 2) do |env|
    boolean?(env["rack.multiprocess"])
  end
  sentence("rack.run_once: true if the application will only be invoked this one time", rack: 2) do |env|
    env["rack.run_once"].equal?(false)
  end
  sentence("rack.protocol is an optional Array of String values") do |env|
    env.fetch("rack.protocol", []).all?(String)
  end
  sentence("If rack.hijack? is true then rack.hijack must respond to call", rack: 2) do |env|
    !env["rack.hijack?"] || env["rack.hijack"].respond_to?(:call)
  end
  sentence("If rack.hijack? is false, then rack.hijack and rack.hijack_io should not be set", rack: 2) do |env|
    env["rack.hijack?"] || (env["rack.hijack"].nil? && env["rack.hijack_io"].nil?)
  end
  sentence("If rack.hijack is present in env, it must respond to call", rack: 3) do |env|
    env["rack.hijack"].nil? || env["rack.hijack"].respond_to?(:call)
  end
  sentence("If rack.early_hints is present, it must respond to call") do |env|
    env["rack.early_hints"].nil? || env["rack.early_hints"].respond_to?(:call)
  end
  sentence("rack.response_finished is an array of callables") do |env|
    env["rack.response_finished"].instance_of?(Array) && !env["rack.response_finished"].frozen?
  end
  sentence("When applicable, the input stream's external encoding must be ASCII-8BIT") do |env|
    input = env["rack.input"]
    !input.respond_to?(:external_encoding) || input.external_encoding == Encoding::BINARY
  end
  sentence("When applicable, the input stream must be opened in binary mode") do |env|
    !env["rack.input"].respond_to?(:binmode?) || env["rack.input"].binmode?
  end
  sentence("The input stream must respond to gets, each, and read") do |env|
    %i[gets each read].all? { |method| env["rack.input"].respond_to?(method) }
  end
  sentence("The input stream must respond to rewind", rack: 2) { |env| env["rack.input"].respond_to?(:rewind) }
  sentence("The error stream must respond to puts, write and flush") do |env|
    %i[puts write flush].all? { |method| env["rack.errors"].respond_to?(method) }
  end
end
