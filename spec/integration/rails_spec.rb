# frozen_string_literal: true

RSpec.describe "rails server -u hyperion_rs", if: RailsApp.available? do
  # One app for all examples: `rails new` and Rails' start take seconds.
  before(:all) do
    @directory = Dir.mktmpdir("hyperion-rs-spec")
    @rails = RailsApp.new(File.join(@directory, "notes"))
  end

  after(:all) { FileUtils.rm_rf(@directory) }

  let(:cookies) { File.join(temporary_directory, "cookies") }

  def rails_server(*arguments, env: {})
    command = @rails.server_command(*arguments)
    server = ServerProcess.new(*command, directory: @rails.directory, env: { **server_env, **env })
    track(server).wait_until_listening(within: 60)
    server
  end

  def browse(url, *arguments)
    curl(url, "--cookie", cookies, "--cookie-jar", cookies, *arguments)
  end

  def token(page)
    page.body[/name="authenticity_token" value="([^"]+)"/, 1]
  end

  context "with TLS" do
    let(:server) { rails_server("-p", "0", "-b", "127.0.0.1", env: { "HYPERION_RS_TLS" => "dev" }) }

    it "serves a page with an asset, a session, a form with an upload and a redirect to https" do
      page = browse(server.url("/"))
      expect(page).to have_attributes(status: 200, protocol: "2")
      styles = page.body.scan(/href="([^"]+\.css)"/).map { |(path)| curl(server.url(path)) }
      expect(styles).not_to be_empty
      expect(styles).to all(have_attributes(status: 200, body: include("#123456")))

      upload = write_file("upload", Random.bytes(200_000))
      form = ["--form", "title=first note", "--form", "file=@#{upload}"]
      answer = browse(server.url("/notes"), *form, "--form", "authenticity_token=#{token(page)}")
      expect([answer.status, answer["location"]]).to eq([302, [server.url("/notes/200000?title=first+note")]])
      expect(browse(answer["location"].first).body).to eq("first note: 200000 bytes after 1 visits")

      expect(browse(server.url("/notes"), *form).status).to eq(422)
      expect(browse(server.url("/robots.txt")).status).to eq(200)
    end
  end

  it "takes the port of the config file over Rails' default, and one on the command line over that" do
    config = File.join(@rails.directory, "config/hyperion_rs.rb")
    File.write(config, "port 0, '127.0.0.1'")
    expect(rails_server.port).not_to eq(3000)
    expect(rails_server("-p", "0", "-b", "::1", "-P", "tmp/pids/other.pid").url).to start_with("http://[::1]:")
  ensure
    FileUtils.rm_f(config)
  end

  it "drains and ends with status 0 at SIGTERM" do
    server = rails_server("-p", "0", "-b", "127.0.0.1")
    expect(curl(server.url("/")).status).to eq(200)
    expect(server.stop.exitstatus).to eq(0)
    expect(server.out).to end_with("Exiting\n")
  end

  it "says in one line what is wrong" do
    result = ChildProcess.run(*@rails.server_command, directory: @rails.directory,
                                                      env: { "HYPERION_RS_THREADS" => "many" })
    expect(result.status.exitstatus).to eq(1)
    expect(result.err).to match(/\Ahyperion-rs: threads: "many" \(from HYPERION_RS_THREADS\) is not allowed; .*\n\z/)
  end
end
