# frozen_string_literal: true

require "logger"
require "rack/mock"
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
    body.close if body.respond_to?(:close)
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
    closed = false
    body.define_singleton_method(:close) { closed = true }
    get
    expect(closed).to be(true)
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

  it "sends parts of a file that the app sends itself, wherever it is" do
    file = HyperionRs::FilePart.new(write_file("elsewhere", "hello"), 0, 5)
    app = ->(_env) { [200, { "Content-Length" => "5" }, file] }
    answers = [{}, { "HTTP_RANGE" => "bytes=1-2" }, { "HTTP_RANGE" => "bytes=5-" }]
              .map { |fields| call(app, Rack::MockRequest.env_for("/", fields)) }
    expect(answers.map { |answer| [answer[0], answer[1]["content-length"], answer[2]] })
      .to eq([[200, "5", "hello"], [206, "2", "el"], [416, "0", ""]])
    expect(answers.map { |answer| answer[1]["accept-ranges"] }).to all(eq("bytes"))
  end

  it "leaves files of other answers as they are" do
    file = HyperionRs::FilePart.new(path, 0, 26)
    env = Rack::MockRequest.env_for("/", "HTTP_RANGE" => "bytes=1-2")
    expect(call(->(_env) { [404, {}, file] }, env)).to eq([404, {}, [*"a".."z"].join])
  end
end
