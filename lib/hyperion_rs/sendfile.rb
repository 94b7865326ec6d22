# frozen_string_literal: true

require "rack/body_proxy"
require "rack/utils"
require_relative "file_part"

module HyperionRs
  # Does for the app's files what a proxy would: sends the one that an `x-sendfile` header names, and of that and of one
  # that the app sends itself (Rails' send_file) the range that the client asks for. The core reads them.
  #
  # The header may name files in one directory only: it may have come from somewhere else, such as a server that the app
  # asked.
  class Sendfile
    HEADER = "x-sendfile"
    # What is said there is about the empty body that came with the header.
    STALE = [HEADER, "content-length"].freeze

    private_constant :HEADER, :STALE

    def initialize(app, directory, logger)
      @app = app
      @root = File.join(File.realpath(directory), "")
      @logger = logger
    end

    def call(env)
      status, headers, body = answer = @app.call(env)
      # Rack 2 has names in any case.
      path = headers.find { |name, _| HEADER.casecmp?(name) }&.last
      return of_the_app(env, answer) unless path

      headers = headers.reject { |name, _| STALE.include?(name.downcase) }
      send_file(env, [status, headers, body], permitted(path))
    end

    private

    # A file that the app may send, since it does.
    def of_the_app(env, answer)
      body = answer[2]
      path = body.to_path if answer[0].to_i == 200 && body.respond_to?(:to_path)
      size = File.size?(path) if path
      size ? send_file(env, answer, FilePart.new(path, 0, size)) : answer
    end

    def send_file(env, answer, file)
      status, headers, body = answer
      return [404, { "content-type" => "text/plain" }, instead_of(body, ["Not Found\n"])] unless file

      headers = { "accept-ranges" => "bytes" }.merge(headers.reject { |name, _| name.casecmp?("content-length") })
      ranges = Rack::Utils.get_byte_ranges(env["HTTP_RANGE"], file.length) if range_wanted?(env, status, headers)
      # Several may be answered by the whole (RFC 9110, section 14.2).
      return respond(status, headers, body, file) if ranges.nil? || ranges.size > 1

      range = ranges.first
      headers["content-range"] = "bytes #{range ? "#{range.min}-#{range.max}" : '*'}/#{file.length}"
      return [416, { **headers, "content-length" => "0" }, instead_of(body, [])] unless range

      respond(206, headers, body, file.slice(range))
    end

    def respond(status, headers, body, file)
      [status, { **headers, "content-length" => file.length.to_s }, instead_of(body, file)]
    end

    # What is to be closed when the response is over still is.
    def instead_of(body, other)
      Rack::BodyProxy.new(other) { body.close if body.respond_to?(:close) }
    end

    # Nil for a file that is not to be sent. Links are resolved once: what counts is where the file is, and a link that
    # changes until the file is opened changes nothing.
    def permitted(path)
      file = File.realpath(path)
      return refuse("#{path} is not in #{@root} (option x_sendfile)") unless file.start_with?(@root)

      stat = File.stat(file)
      return FilePart.new(file, 0, stat.size) if stat.file? && stat.readable?

      refuse("#{path} is no file that can be read")
    rescue SystemCallError, ArgumentError => e # The latter for a NUL.
      refuse(e.message)
    end

    def refuse(reason)
      @logger.error("x-sendfile: #{reason}")
      nil
    end

    # RFC 9110, sections 13.1.5 and 14.2: a part of another version than the client has is of no use.
    def range_wanted?(env, status, headers)
      return false unless status.to_i == 200 && env["REQUEST_METHOD"] == "GET" && env["HTTP_RANGE"]

      condition = env["HTTP_IF_RANGE"]
      condition.nil? || validators(headers).include?(condition)
    end

    def validators(headers)
      fields = headers.transform_keys(&:downcase)
      tag = fields["etag"]
      [(tag unless tag&.start_with?("W/")), fields["last-modified"]].compact
    end
  end
end
