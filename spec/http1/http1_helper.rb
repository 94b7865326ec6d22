# frozen_string_literal: true

require_relative "../rack/rack_helper"

# Talks HTTP/1.1 to the server of RackHelper.
module Http1Helper
  # One response of curl's: head fields in lower case, the last one of a name.
  Response = Struct.new(:status, :protocol, :headers, :body, :informational)

  # What curl gets; further arguments are curl's.
  def curl(path, *arguments, http: "1.1", within: 30)
    command = ["curl", "-sSik", "--http#{http}", "--max-time", within.to_s, *arguments, server.url(path)]
    result = ChildProcess.run(*command, within: within + 5)
    raise ChildProcess::Failed, "#{result.err}\n#{server.err}" unless result.status.success?

    parse(result.out.b)
  end

  # What the server answers to the bytes.
  def talk(bytes, port: server.port)
    say(port, bytes)
  end

  # Runs the body of an async function, which knows Node's `http`, `https` and `url`; answers what it returns.
  def node(script, within: 60)
    program = <<~JAVASCRIPT
      const http = require("http"), https = require("https"), url = #{server.url('/').to_json};
      (async () => { #{script} })().then(
        (value) => { process.stdout.write(JSON.stringify(value)); process.exit(0); },
        (error) => { console.error(error); process.exit(1); });
    JAVASCRIPT
    env = { "NODE_TLS_REJECT_UNAUTHORIZED" => "0", "NODE_NO_WARNINGS" => "1" }
    result = ChildProcess.run("node", "-e", program, env:, within:)
    raise ChildProcess::Failed, "#{result.err}\n#{server.err}" unless result.status.success?

    JSON.parse(result.out, symbolize_names: true)
  end

  private

  def parse(text)
    informational = []
    loop do
      head, text = text.split("\r\n\r\n", 2)
      status_line, *lines = head.split("\r\n")
      protocol, status = status_line.split
      headers = lines.to_h { |line| line.split(": ", 2).then { |name, value| [name.downcase, value] } }
      return Response.new(status.to_i, protocol, headers, text, informational) unless status.start_with?("1")

      informational << status.to_i
    end
  end
end

RSpec.configure do |config|
  config.include RackHelper, file_path: %r{/spec/http1/}
  config.include Http1Helper, file_path: %r{/spec/http1/}
  config.extend RackHelper::Group, file_path: %r{/spec/http1/}
end
