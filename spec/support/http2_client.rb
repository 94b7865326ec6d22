# frozen_string_literal: true

require "json"
require_relative "child_process"

# HTTP/2 through the clients that people use. Cleartext URLs are asked with prior knowledge.
module Http2Client
  Response = Struct.new(:status, :protocol, :headers, :body) do
    # The values of a header, which may be repeated.
    def [](name)
      headers.filter_map { |key, value| value if key == name }
    end
  end

  Load = Struct.new(:succeeded, :failed, :statuses, :log)

  # To stderr, the version that was spoken.
  WRITE_OUT = "%{stderr}%{http_version}" # rubocop:disable Style/FormatStringToken -- curl's own format
  HEAD_END = "\r\n\r\n"

  # `curl` with further arguments; raises unless it ends well.
  def curl(url, *arguments, within: 60)
    version = url.start_with?("https:") ? ["--http2", "--insecure"] : ["--http2-prior-knowledge"]
    result = client("curl", "--silent", "--show-error", "--include", *version,
                    "--write-out", WRITE_OUT, *arguments, url, within:)
    parse_curl(result)
  end

  def nghttp(url, *arguments, within: 60)
    client("nghttp", "--no-verify-peer", *arguments, url, within:).out
  end

  def h2load(url, *arguments, requests:, clients: 1, streams: 1)
    log = client("h2load", "-n#{requests}", "-c#{clients}", "-m#{streams}", *arguments, url, within: 300).out
    succeeded, failed = log.match(/(\d+) succeeded, (\d+) failed/).captures.map(&:to_i)
    statuses = log.match(/status codes: (\d+) 2xx, (\d+) 3xx, (\d+) 4xx, (\d+) 5xx/).captures.map(&:to_i)
    Load.new(succeeded, failed, %w[2xx 3xx 4xx 5xx].zip(statuses).to_h, log)
  end

  # Runs a script with Node; `session` is a connected http2 session to `url`; answers what `done(value)` is given.
  def node(url, script, within: 60)
    program = <<~JAVASCRIPT
      const http2 = require("http2");
      const session = http2.connect(#{JSON.generate(url)}, { rejectUnauthorized: false });
      const done = (value) => { console.log(JSON.stringify(value)); session.destroy(); };
      session.on("error", (error) => { console.error(error); process.exit(1); });
      #{script}
    JAVASCRIPT
    JSON.parse(client("node", "--eval", program, within:).out, symbolize_names: true)
  end

  private

  def client(*command, within:)
    ChildProcess.run(*command, within:).tap do |result|
      raise ChildProcess::Failed, "#{command.first}: #{result.err}#{result.out}" unless result.status.success?
    end
  end

  # The last head counts: those before it are informational.
  def parse_curl(result)
    head, body = result.out.b.split(HEAD_END, 2)
    head, body = body.split(HEAD_END, 2) while head.match?(%r{\AHTTP/\S+ 1\d\d})
    status_line, *fields = head.force_encoding(Encoding::UTF_8).split("\r\n")
    headers = fields.map { |field| field.split(": ", 2) }
    Response.new(status_line[/\s(\d{3})/, 1].to_i, result.err, headers, body || "")
  end
end
