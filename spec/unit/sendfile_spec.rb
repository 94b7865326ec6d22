# frozen_string_literal: true

require "hyperion_rs/sendfile"
require "logger"
require "tmpdir"

RSpec.describe HyperionRs::Sendfile do
  let(:directory) { File.realpath(Dir.mktmpdir) }
  let(:log) { StringIO.new }

  after { FileUtils.rm_rf(directory) }

  def send_file(path)
    app = ->(_env) { [200, { "x-sendfile" => path }, []] }
    described_class.new(app, directory, Logger.new(log)).call("REQUEST_METHOD" => "GET")
  end

  it "sends the file that a link names now, whatever it names later" do
    file = File.join(directory, "file")
    link = File.join(directory, "link")
    File.write(file, "content")
    File.symlink(file, link)
    status, _, body = send_file(link)
    expect([status, body.to_path]).to eq([200, file])
  end

  it "answers 404 for a name that no file can have, and logs it" do
    expect(send_file("#{directory}/a\0b").first).to eq(404)
    expect(log.string).to include("null byte")
  end
end
