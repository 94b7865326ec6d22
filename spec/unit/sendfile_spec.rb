# frozen_string_literal: true

require "logger"
require "rack/lint"
require "rack/mock"
require "rack/sendfile"
require "stringio"

RSpec.describe HyperionRs::Sendfile do
  let(:log) { StringIO.new }
  let(:headers) { { "content-type" => "text/plain", "etag" => '"v1"' } }
  let(:status) { 200 }
  let!(:path) { write_file("files/letters", ("a".."z").to_a.join) }
  let(:body) { [] }

  def get(range: nil, method: "GET", path: self.path, **more)
    app = ->(_env) { [status, { "content-length" => "0", "X-Sendfile" => path, **headers }, body] }
    env = Rack::MockRequest.env_for("/", method:, **more)
    env["HTTP_RANGE"] = range if range
    call(app, env)
  end

  def call(app, env)
    status, headers, body = described_class.new(app, File.join(temporary_directory, "files"), Logger.new(log)).call(env)
    text = +""
    body.each { |chunk| text << chunk }
    [status, headers.transform_keys(&:downcase), text]
  end

  it "sends the file that the header names" do
    status, headers, text = get
    expect([status, text]).to eq([200, [*"a".."z"].join])
    expect(headers).to eq("accept-ranges" => "bytes", "content-length" => "26", "content-type" => "text/plain",
                          "etag" => '"v1"')
  end

  { "bytes=2-4" => %w[2-4 cde], "bytes=-3" => %w[23-25 xyz], "bytes=24-" => %w[24-25 yz],
    "bytes=25-99" => %w[25-25 z] }.each do |range, (sent, text)|
    it "sends #{range} of it" do
      answer = get(range:)
      expect([answer[0], answer[2]]).to eq([206, text])
      expect(answer[1]).to include("content-range" => "bytes #{sent}/26", "content-length" => text.size.to_s)
    end
  end

  it "says of a range beyond the end how long the file is" do
    status, headers, text = get(range: "bytes=26-")
    expect([status, headers["content-range"], headers["content-length"], text]).to eq([416, "bytes */26", "0", ""])
  end

  it "sends the whole for several ranges, for what is no range, and to other methods" do
    answers = [get(range: "bytes=0-1,4-5"), get(range: "letters=0-1"), get(range: "bytes=0-1", method: "POST")]
    expect(answers.map { |status, headers, _| [status, headers["content-length"]] }).to all(eq([200, "26"]))
  end

  it "sends a part only of the version that the client has" do
    statuses = ['"v1"', '"v2"', 'W/"v1"'].map { |tag| get(range: "bytes=0-1", "HTTP_IF_RANGE" => tag)[0] }
    expect(statuses).to eq([206, 200, 200])
  end

  it "keeps another status" do
    allow(self).to receive(:status).and_return(404)
    expect(get(range: "bytes=0-1").first).to eq(404)
  end

  it "closes the body that the app gave" do
    body.define_singleton_method(:close) { clear.push("closed") }
    get
    expect(body).to eq(["closed"])
  end

  it "answers 404 and logs why when the file is outside, or not there, or none" do
    outside = write_file("secret", "no")
    link = File.join(File.dirname(path), "link").tap { |name| File.symlink(outside, name) }
    directory = File.join(File.dirname(path), "directory").tap { |name| Dir.mkdir(name) }
    paths = [outside, link, "#{directory}/../../secret", "#{path}.no", directory]
    expect(paths.map { |path| get(path:).first }).to all(eq(404))
    expect(log.string.lines.size).to eq(5)
    expect(log.string).to include("#{outside} is not in ", "#{path}.no", "#{directory} is no file that can be read")
  end

  it "lets other answers through" do
    answer = call(->(_env) { [201, { "a" => "b" }, ["c"]] }, Rack::MockRequest.env_for("/"))
    expect(answer).to eq([201, { "a" => "b" }, "c"])
  end

  it "works for Rack::Sendfile, under Rack::Lint" do
    file = HyperionRs::FilePart.new(path, 0, 26)
    app = Rack::Sendfile.new(->(_env) { [200, { "content-type" => "text/plain" }, file] })
    answer = call(app, Rack::MockRequest.env_for("/", "HTTP_RANGE" => "bytes=1-2"))
    expect([answer[0], answer[2]]).to eq([206, "bc"])
  end
end
