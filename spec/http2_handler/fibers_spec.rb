# frozen_string_literal: true

require_relative "handler_helper"
require_relative "support/selecting_scheduler"

RSpec.describe HyperionRs::Http2Handler, "under a Fiber scheduler" do
  # Serves these sockets in fibers of one thread; a further fiber counts how often it ran.
  def serve_in_fibers(handler, sockets, ticks: nil)
    SelectingScheduler.run do
      sockets.each { |socket| Fiber.schedule { handler.serve(socket) } }
      ticks&.times { sleep(0.001) and @ticks += 1 }
    end
  end

  # Ends within the time, or raises what ended the thread.
  def finish(thread, within: 30)
    raise "the fibers do not end" unless thread.join(within)
  end

  def encrypted_pair
    identity = Certificates.generate
    context = OpenSSL::SSL::SSLContext.new
    context.cert = OpenSSL::X509::Certificate.new(identity.certificate)
    context.key = OpenSSL::PKey.read(identity.key)
    context.alpn_select_cb = ->(_offered) { "h2" }
    server = TCPServer.new("127.0.0.1", 0)
    accepted = Thread.new { OpenSSL::SSL::SSLSocket.new(server.accept, context).tap(&:accept) }
    client = track(RawConnection.bare(server.local_address.ip_port, tls: true))
    [client, accepted.value]
  ensure
    server&.close
  end

  it "parks the fiber: connections are served at once in one thread, and other fibers run" do
    @ticks = 0
    clients, sockets = Array.new(10) { pair }.transpose
    _, thread = serve_in_fibers(handler, sockets, ticks: 50)
    clients.each(&:greet)
    expect(clients.map { |client| get(client) }).to all(eq(200))
    eventually("the other fiber") { @ticks == 50 }
    clients.each(&:close)
    finish(thread)
    expect(sockets).to all(be_closed)
  end

  it "returns in the fiber when the connection is over, and leaves no descriptor" do
    # What all handlers of the process share stays.
    serve_one_in_a_fiber
    before = descriptors
    10.times { serve_one_in_a_fiber }
    eventually("its descriptors") { descriptors <= before }
  end

  def serve_one_in_a_fiber
    client, socket = pair
    _, thread = serve_in_fibers(handler, [socket])
    client.greet
    get(client)
    client.close
    finish(thread)
  end

  it "serves SSLSockets, whose bytes pass through fibers" do
    ends = Array.new(3) { encrypted_pair }
    scheduler, thread = serve_in_fibers(handler, ends.map(&:last))
    ends.each { |client, _| client.greet }
    expect(ends.map { |client, _| get(client) }).to all(eq(200))
    ends.each { |client, _| client.close }
    finish(thread)
    expect(ends.map(&:last)).to all(be_closed)
    expect(scheduler.fibers).to eq(0)
  end

  it "drops the connection when the fiber is interrupted" do
    client, socket = pair
    interrupted = Latch.new
    enough = Thread::Queue.new
    _, thread = SelectingScheduler.run do
      serving = Fiber.schedule do
        handler.serve(socket)
      rescue RuntimeError => e
        interrupted.open(e.message)
      end
      serving.raise(enough.pop)
    end
    client.greet
    get(client)
    enough << "enough"
    expect(interrupted.wait).to eq("enough")
    client.wait_for_close
    finish(thread)
    expect(socket).to be_closed
  end

  it "works with the async library", if: HandlerHelper::ASYNC do
    program = <<~'RUBY'
      require "async"
      require "openssl"
      app = ->(env) { [200, {}, ["hello from #{env['PATH_INFO']}"]] }
      handler = HyperionRs::Http2Handler.new(app: app)
      server = TCPServer.new("127.0.0.1", 0)
      ticks = 0
      # The only thread of the scheduler also has other things to do.
      Async do |task|
        $stdout.sync = true
        puts "port #{server.local_address.ip_port}"
        ticker = task.async { loop { task.sleep(0.001); puts "ticked" if (ticks += 1) == 20 } }
        4.times.map { socket = server.accept; task.async { handler.serve(socket) } }.each(&:wait)
        ticker.stop
      end
    RUBY
    process = ChildProcess.new(RbConfig.ruby, "-e", HandlerHelper::PREFIX + program)
    port = process.wait_for(/port (\d+)/)[1]
    clients = Array.new(4) { track(RawConnection.open(port)) }
    expect(clients.map { |client| get(client, "/async") }).to all(eq(200))
    process.wait_for(/^ticked$/)
    clients.each(&:close)
    expect(process.wait(within: 30)).to be_success
  ensure
    process&.kill
  end

  def descriptors
    Dir.children("/proc/self/fd").size
  end
end
