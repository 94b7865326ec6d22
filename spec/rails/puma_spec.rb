# frozen_string_literal: true

require_relative "rails_helper"
require_relative "support/answer"

with_puma = Chat.available? && Gem::Specification.find_all_by_name("puma").any?

RSpec.describe "the same Rails app by Puma and by hyperion-rs", if: with_puma do
  json = ["-H", "content-type: application/json", "--data", '{"a":[1,2]}']

  {
    "a page" => ["/"],
    "the head of a page" => ["/", "--head"],
    "a form without a token" => ["/messages", "--data", "author=a&text=b"],
    "a download that is made on the way" => ["/messages.csv"],
    "a text" => ["/probes/echo", "--data-binary", "a\nb", "-H", "content-type: text/plain"],
    "a JSON request" => ["/probes/echo", *json],
    "an empty request" => ["/probes/echo", "--request", "POST"],
    "events" => ["/probes/events"],
    "a file" => ["/probes/file"],
    "the head of a file" => ["/probes/file", "--head"],
    "a range of a file" => ["/probes/file", "--range", "1-2"],
    "a file that a header names" => ["/probes/named"],
    "a static file" => ["/chat.css"],
    "a range of a static file" => ["/chat.css", "--range", "1-2"],
    "a range beyond a static file" => ["/chat.css", "--range", "9999-"],
    "a static file that the client may have" => ["/chat.css", "-H", "if-modified-since: Fri, 01 Jan 2100 00:00:00 GMT"],
    "data" => ["/probes/data"],
    "cookies" => ["/probes/crumbs"],
    "cookies of the client" => ["/probes/read", "--cookie", "plain=a%20b; signed=forged; x=y"],
    "a page that may be kept" => ["/probes/cached"],
    "a page that was kept" => ["/probes/cached", "-H", "if-modified-since: Wed, 01 Jan 2020 00:00:00 GMT"],
    "a redirect" => ["/probes/away"],
    "no content" => ["/probes/empty"],
    "an error" => ["/probes/fail"],
    "what a request tells of its origin" => ["/probes/seen?q=%C3%BC&r[]=1"],
    "what a proxy tells of a request" => ["/probes/seen", "-H", "x-forwarded-for: 203.0.113.7", "-H",
                                          "x-forwarded-proto: https", "-H", "x-forwarded-host: chat.example:444"],
    "a path that is unknown" => ["/nowhere/%C3%BC%2Fx"],
    "a path that is no UTF-8" => ["/files/%FF"],
    "a path with two slashes" => ["//chat.css"],
    "a method that is unknown there" => ["/probes/empty", "--request", "DELETE"],
    "OPTIONS" => ["/", "--request", "OPTIONS"]
  }.each do |name, (path, *arguments)|
    it "answer alike: #{name}" do
      expected = answer(@puma, "1.1", path, *arguments)
      %w[1.1 2].each { |version| expect(answer(@server, version, path, *arguments)).to eq(expected), version }
    end
  end

  before(:context) do
    @directory = Dir.mktmpdir("hyperion-rs-rails")
    chat = Chat.new(@directory)
    # As Puma is started: in cleartext, without hints and without our ranges.
    @server = chat.start("-p", "0", "-P", "tmp/ours.pid", env: { "HYPERION_RS_CONFIG" => File::NULL })
    @puma = chat.start("-p", "0", "-P", "tmp/puma.pid", with: %w[-u puma])
    @server.wait_until_listening(within: 120)
    @puma_url = @puma.wait_for(%r{Listening on (http://127\.0\.0\.1:\d+)}, within: 120)[1]
  end

  after(:context) do
    [@server, @puma].each { |server| server&.kill }
    FileUtils.rm_rf(@directory)
  end

  def answer(server, version, path, *arguments)
    url = server == @puma ? @puma_url : server.url
    time = Time.now
    response = curl("#{url}#{path}", version == "2" ? "--http2-prior-knowledge" : "--http#{version}", *arguments)
    expect(response.protocol).to eq(version)
    answer = Answer.new(response, url, time)
    expect(answer.announced).to be_nil.or eq(answer.size) unless arguments.include?("--head")
    answer.to_h
  end
end
