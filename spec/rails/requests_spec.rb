# frozen_string_literal: true

require_relative "rails_helper"

RSpec.describe "a Rails app", if: Chat.available? do
  serve_chat "-p", "0"

  { "2" => "HTTP/2", "1.1" => "HTTP/1.1" }.each do |version, protocol|
    describe "requests over #{protocol}" do
      define_method(:version) { version }

      it "are answered by pages" do
        page = get("/")
        expect(page).to have_attributes(status: 200, protocol: version, body: include("over <b>#{protocol}</b>"))
        expect(page["content-length"]).to eq([page.body.bytesize.to_s])
      end

      it "are told by early hints what the page will need" do
        head = client("curl", "-sk", "--http#{version}", "-D", "-", "-o", File::NULL, server.url("/"), within: 60).out
        expect(head).to match(%r{\A#{protocol} 103.*?^link: </chat.css>;.*^#{protocol} 200}m)
      end

      it "keep a session in a cookie" do
        pages = Array.new(3) { browse("/") }
        expect(pages.map { |page| page.body[/visit (\d+)/, 1] }).to eq(%w[1 2 3])
        expect(pages[0]["set-cookie"].first).to match(%r{\A_rails_chat_session=\S+; path=/; HttpOnly; SameSite=Lax\z}i)
      end

      it "come from forms, with a token against forgery" do
        page = browse("/")
        fields = ["--data-urlencode", "author=Grüße & co", "--data-urlencode", "text=<b>hello</b>"]
        expect(browse("/messages", *fields).status).to eq(422)
        answer = browse("/messages", *fields, "--data-urlencode", "authenticity_token=#{token(page)}")
        expect([answer.status, answer["location"]]).to eq([303, [server.url("/")]])
        expect(browse("/").body.force_encoding("UTF-8"))
          .to include("<b>Grüße &amp; co</b> <span>&lt;b&gt;hello&lt;/b&gt;</span>")
      end

      it "upload files, which can be had again, whole and in parts" do
        content = Random.bytes(3_000_000)
        upload = write_file("some file.bin", content)
        answer = browse("/files", "--form", "authenticity_token=#{token(browse('/'))}", "--form", "file=@#{upload}")
        expect([answer.status, answer["location"]]).to eq([303, [server.url("/files/some%20file.bin")]])
        whole = get("/files/some%20file.bin")
        expect([whole.status, whole["content-length"], whole["accept-ranges"]]).to eq([200, ["3000000"], ["bytes"]])
        expect(whole.body == content).to be(true)
        part = get("/files/some%20file.bin", "--range", "1000000-2999999")
        expect([part.status, part["content-range"]]).to eq([206, ["bytes 1000000-2999999/3000000"]])
        expect(part.body == content[1_000_000..]).to be(true)
      end

      it "download what is made on the way" do
        export = get("/messages.csv")
        expect(export["content-type"]).to eq(["text/csv; charset=utf-8"])
        expect(export["content-disposition"]).to eq(['attachment; filename="messages.csv"'])
        expect(export.body).to start_with("at,author,text\n")
      end

      it "get events of ActionController::Live as they come" do
        events = get("/probes/events")
        expect([events.status, events["content-type"]]).to eq([200, ["text/event-stream"]])
        expect(events.body).to eq((0..2).map { |number| "event: count\ndata: {\"number\":#{number}}\n\n" }.join)
      end

      it "end ActionController::Live when they are cancelled" do
        process = ChildProcess.new("curl", "-sk", "--http#{version}", server.url("/probes/endless"))
        process.wait_for(/x\n/)
        server.wait_for_another(/endless ended: .*ClientDisconnected/) { process.kill }
      ensure
        process&.kill
      end

      it "get files that the app names in an X-Sendfile header" do
        whole = get("/probes/named")
        expect([whole.status, whole.body, whole["x-sendfile"]]).to eq([200, Chat::ALPHABET, []])
        part = get("/probes/named", "--range", "-3")
        expect([part.status, part.body, part["content-range"]]).to eq([206, "xyz", ["bytes 23-25/26"]])
        expect(get("/probes/named", "--range", "26-").status).to eq(416)
      end

      it "get the files of public/, also in parts" do
        style = File.binread(File.join(chat.directory, "public/chat.css"))
        expect(get("/chat.css").body).to eq(style)
        expect(get("/chat.css", "--range", "5-9")).to have_attributes(status: 206, body: style[5..9])
      end

      it "show where they come from" do
        seen = JSON.parse(get("/probes/seen").body)
        expect(seen).to eq("ssl" => true, "remote_ip" => "127.0.0.1", "ip" => "127.0.0.1", "protocol" => "https://",
                           "url" => server.url("/probes/seen"), "host" => "127.0.0.1:#{server.port}")
      end

      it "show where they come from behind a proxy" do
        fields = { "X-Forwarded-For" => "203.0.113.7, 10.0.0.1", "X-Forwarded-Proto" => "http",
                   "X-Forwarded-Host" => "chat.example" }
        seen = JSON.parse(get("/probes/seen", *fields.flat_map { |name, value| ["-H", "#{name}: #{value}"] }).body)
        expect(seen).to include("remote_ip" => "203.0.113.7", "host" => "chat.example")
      end

      it "may be conditional" do
        page = get("/probes/cached")
        again = get("/probes/cached", "-H", "If-None-Match: #{page['etag'].first}")
        expect([page.status, again.status, again.body]).to eq([200, 304, ""])
      end

      it "are logged on stdout at once" do
        get("/probes/empty?logged=#{version}")
        server.wait_for(%r{Started GET "/probes/empty\?logged=#{version}" for 127\.0\.0\.1})
      end

      it "that fail are answered by 500, and the next ones are served" do
        server.wait_for_another(/as it was told to/) { expect(get("/probes/fail").status).to eq(500) }
        expect(get("/probes/empty").status).to eq(204)
      end
    end
  end
end
