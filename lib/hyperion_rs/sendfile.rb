# frozen_string_literal: true

require "rack/utils"
require_relative "file_part"

module HyperionRs
  # Answers with the file that the app names in an `x-sendfile` header, whole or the range that the client asks for; the
  # core sends it. Rack::Sendfile, which Rails has in its stack, is told that it may use the header.
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
      env["sendfile.type"] = "X-Sendfile"
      status, headers, body = answer = @app.call(env)
      # Rack 2 has names in any case.
      path = headers.find { |name, _| HEADER.casecmp?(name) }&.last
      return answer unless path

      body.close if body.respond_to?(:close)
      send_file(env, status, headers.reject { |name, _| STALE.include?(name.downcase) }, path)
    end

    private

    def send_file(env, status, headers, path)
      size = size_of(path)
      return [404, { "content-type" => "text/plain" }, ["Not Found\n"]] unless size

      headers = { "accept-ranges" => "bytes" }.merge(headers.to_h)
      ranges = Rack::Utils.get_byte_ranges(env["HTTP_RANGE"], size) if range_wanted?(env, status, headers)
      # Several may be answered by the whole (RFC 9110, section 14.2).
      return respond(status, headers, FilePart.new(path, 0, size)) if ranges.nil? || ranges.size > 1
      return [416, headers.merge("content-range" => "bytes */#{size}", "content-length" => "0"), []] if ranges.empty?

      first, last = ranges.first.minmax
      headers["content-range"] = "bytes #{first}-#{last}/#{size}"
      respond(206, headers, FilePart.new(path, first, last - first + 1))
    end

    def respond(status, headers, part)
      [status, headers.merge("content-length" => part.length.to_s), part]
    end

    # Nil for a file that is not to be sent. Links are resolved first: what counts is where the file is.
    def size_of(path)
      stat = File.stat(path)
      permitted = File.realpath(path).start_with?(@root)
      return stat.size if permitted && stat.file? && stat.readable?

      refuse(permitted ? "#{path} is no file that can be read" : "#{path} is not in #{@root} (option x_sendfile)")
    rescue SystemCallError => e
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
