# frozen_string_literal: true

require_relative "handler_helper"

RSpec.describe HyperionRs::Http2Handler, "in its process" do
  # Serves in a thread, and prints its port; `app` and `handler` are at hand for the rest of the program.
  beginning = <<~'RUBY'
    $stdout.sync = true
    runtime = HyperionRs::Runtime.new(logger: Logger.new($stdout, formatter: HyperionRs::JsonFormatter.new))
    app = ->(env) { [200, {}, [env["PATH_INFO"] == "/slow" ? (puts("slow"); sleep(60)) : "hello"]] }
    handler = HyperionRs::Http2Handler.new(app: app, runtime: runtime)
    listener = TCPServer.new("127.0.0.1", 0)
    serve = -> { loop { Thread.new(listener.accept) { |socket| handler.serve(socket) } } }
  RUBY

  after { @process&.kill }

  define_method(:start) do |program, **options|
    @process = ChildProcess.new(RbConfig.ruby, "-e", HandlerHelper::PREFIX + beginning + program, **options)
  end

  def port
    @port ||= Integer(@process.wait_for(/port (\d+)/)[1])
  end

  def client
    track(RawConnection.open(port))
  end

  it "does not keep the process from ending, and says nothing as it ends" do
    start(<<~'RUBY')
      Thread.new(&serve)
      puts "port #{listener.local_address.ip_port}"
      sleep
    RUBY
    expect([get(client), get(client)]).to eq([200, 200])
    slow = client
    slow.write(Frames.headers(1, Frames.request("/slow")))
    @process.wait_for(/^slow$/)
    @process.signal(:TERM)
    expect(@process.wait(within: 30).termsig).to eq(Signal.list["TERM"])
    expect(@process.err.lines.grep_v(/SIGTERM/)).to be_empty
    expect(@process.out).not_to match(/died|killed|not end/)
  end

  it "ends with exit, and by itself" do
    ["exit 3", ""].each do |ending|
      result = run_ruby(<<~RUBY)
        handler = HyperionRs::Http2Handler.new(app: ->(_) { [200, {}, []] })
        near, far = UNIXSocket.pair
        near.close
        handler.serve(far)
        #{ending}
      RUBY
      expect(result.status.exitstatus).to eq(ending.empty? ? 0 : 3)
      expect(result.err.lines.grep_v(/h2 codec selected/)).to be_empty
    end
  end

  it "serves in children that it forked before and after it served itself" do
    start(<<~'RUBY')
      serve_one = lambda do |label|
        near, far = UNIXSocket.pair
        thread = Thread.new { handler.serve(far) }
        near.write("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + "\0\0\0\4\0\0\0\0\0".b)
        # SETTINGS of the server, and its acknowledgement of the client's.
        near.readpartial(200)
        near.close
        thread.join(30) ? puts("#{label} served") : puts("#{label} hangs")
      end
      Process.wait(fork { serve_one.call("first child") })
      serve_one.call("parent")
      Process.wait(fork { serve_one.call("second child"); Process.wait(fork { serve_one.call("grandchild") }) })
      serve_one.call("parent again")
      puts "statuses #{$?.success?}"
    RUBY
    expect(@process.wait(within: 60)).to be_success
    expect(@process.out.scan(/^.* (?:served|hangs)$/)).to eq(
      ["first child served", "parent served", "second child served", "grandchild served", "parent again served"]
    )
    expect(@process.out).to include("statuses true")
  end

  it "can be interrupted while it serves, by signals and by Thread#kill" do
    start(<<~'RUBY')
      puts "port #{listener.local_address.ip_port}"
      begin
        handler.serve(listener.accept)
      rescue Interrupt
        puts "interrupted"
      end
      thread = Thread.new { handler.serve(listener.accept) }
      Thread.pass until thread.status == "sleep"
      puts "killed #{thread.kill.join(30) ? true : false}"
    RUBY
    first = client
    expect(get(first)).to eq(200)
    @process.signal(:INT)
    @process.wait_for(/^interrupted$/)
    first.wait_for_close
    @process.wait_for(/^killed true$/)
    expect(@process.wait(within: 30)).to be_success
  end

  it "can be interrupted by Timeout, and drops the connection then" do
    client, socket = pair
    serving = Thread.new { Timeout.timeout(5) { handler.serve(socket) } }
    serving.report_on_exception = false
    client.greet
    expect(get(client)).to eq(200)
    expect { serving.value }.to raise_error(Timeout::Error)
    expect(socket).to be_closed
    client.wait_for_close
  end

  it "has its threads replaced when they die" do
    app = ->(env) { env["PATH_INFO"] == "/die" ? Thread.current.kill : [200, {}, []] }
    client = connect(listen(handler(app)))
    20.times { |index| expect(get(client, "/die", stream: (2 * index) + 1)).to eq(500) }
    expect(get(client, stream: 41)).to eq(200)
  end

  it "looks after its threads again when whoever did was killed" do
    client = connect(listen(handler))
    expect(get(client)).to eq(200)
    Thread.list.select { |thread| thread.name&.start_with?("hyperion-rs") }.each { |thread| thread.kill.join(30) }
    again = connect(listen(handler))
    expect(get(again)).to eq(200)
  end
end
