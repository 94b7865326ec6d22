# frozen_string_literal: true

require_relative "rack_helper"

RSpec.describe "x-sendfile" do
  directory = File.realpath(Dir.mktmpdir("hyperion-rs-files"))
  content = Random.new(1).bytes(300_000)
  File.binwrite(File.join(directory, "random"), content)
  after(:all) { FileUtils.rm_rf(directory) }

  app = <<~RACKUP
    run ->(env) { [200, { "content-type" => "text/plain", "x-sendfile" => "#{directory}" + env["PATH_INFO"] }, []] }
  RACKUP

  context "with a directory for it" do
    serve app, options: { x_sendfile: directory }

    it "sends the file, whole" do
      response = fetch("/random")
      expect(response).to include(status: 200, size: 300_000, sha256: Digest::SHA256.hexdigest(content))
      expect(values(response, "content-length")).to eq(["300000"])
      expect(values(response, "x-sendfile")).to be_empty
    end

    it "sends parts of it" do
      response = fetch("/random", { "range" => "bytes=100000-249999" })
      expect(response).to include(status: 206, sha256: Digest::SHA256.hexdigest(content[100_000, 150_000]))
      expect(values(response, "content-range")).to eq(["bytes 100000-249999/300000"])
      expect(fetch("/random", { "range" => "bytes=300000-" })).to include(status: 416, size: 0)
    end

    it "sends nothing to HEAD but the length" do
      response = fetch("/random", { ":method" => "HEAD" })
      expect(response).to include(status: 200, size: 0)
      expect(values(response, "content-length")).to eq(["300000"])
    end

    it "answers 404 for a file outside, and logs it" do
      expect(fetch("/../../etc/passwd")).to include(status: 404)
      server.wait_for(%r{x-sendfile: \S+/etc/passwd is not in})
    end
  end

  context "without" do
    serve app

    it "leaves the header to the proxy before it" do
      response = fetch("/random")
      expect(values(response, "x-sendfile")).to eq([File.join(directory, "random")])
      expect(response).to include(size: 0)
    end
  end
end
