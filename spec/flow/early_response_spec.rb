# frozen_string_literal: true

RSpec.describe "responses before the end of the request" do
  app = <<~RUBY
    run ->(env) { env["PATH_INFO"] == "/refuse" ? [403, {}, ["no"]] : [200, {}, [env["rack.input"].read.bytesize.to_s]] }
  RUBY

  # Debian 12's curl forgets a response when the stream is reset right after it.
  def post(server, path, *arguments)
    file = write_file("upload", "x" * (16 << 20))
    answers = Array.new(10) { curl(server.url(path), "--upload-file", file, *arguments) }
    answers.map { |answer| [answer.status, answer.body] }
  end

  it "reach a client whose body is known to be too large" do
    server = start_server(app:, options: { max_body_size: "1MiB" })
    expect(post(server, "/").uniq).to eq([[413, "Payload Too Large"]])
  end

  it "reach a client whose body becomes too large" do
    server = start_server(app:, options: { max_body_size: "1MiB" })
    expect(post(server, "/", "--header", "content-length:").uniq).to eq([[413, "Payload Too Large"]])
  end

  it "reach a client whose body nobody reads" do
    server = start_server(app:, options: { request_buffering: false })
    expect(post(server, "/refuse").uniq).to eq([[403, "no"]])
  end

  it "reach a client whose body is too large for a reader" do
    server = start_server(app:, options: { request_buffering: false, max_body_size: "1MiB" })
    expect(post(server, "/", "--header", "content-length:").uniq).to eq([[413, "Payload Too Large"]])
  end
end
