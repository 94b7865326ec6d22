# frozen_string_literal: true

require "objspace"
require_relative "handler_helper"

RSpec.describe HyperionRs::Http2Handler, "and the garbage collector" do
  # Makes what may be collected in a frame of its own, which leaves nothing on the stack.
  def apart(&block)
    Thread.new(&block).value
  end

  it "is collected with its app, also when that refers to it" do
    collected = Thread::Queue.new
    finalizer = ->(_id) { collected << true }
    apart do
      100.times do
        holder = []
        app = ->(_env) { [200, {}, [holder.size.to_s]] }
        holder << handler(app)
        ObjectSpace.define_finalizer(app, finalizer)
        client, socket = pair
        serving = Thread.new { holder.first.serve(socket) }
        client.greet
        get(client)
        client.close
        serving.join(30)
      end
      nil
    end
    # Each thread of the pool may hold what it served last.
    eventually("most are collected") { GC.start || collected.size >= 75 }
  end

  it "keeps the app of a request that outlives its connection" do
    gate = Thread::Queue.new
    finished = Latch.new
    apart do
      app = lambda { |env|
        env["rack.response_finished"] << ->(*) { finished.open }
        [200, {}, [gate.pop]]
      }
      client, socket = pair
      serving = Thread.new { handler(app).serve(socket) }
      client.greet
      client.write(Frames.headers(1))
      eventually("the app is called") { gate.num_waiting == 1 }
      client.close
      serving.join(30)
      nil
    end
    5.times { GC.start }
    gate << "too late"
    expect(finished.wait).to be(true)
  end

  it "survives a collection at every allocation" do
    program = <<~'RUBY'
      require "openssl"
      metrics = Class.new { %i[increment decrement increment_status tick_worker_request].each { |n| define_method(n) { |_| [n] } } }
      logger = Class.new { %i[debug info warn error].each { |level| define_method(level) { |&line| line.call.inspect } } }
      admission = Class.new { define_method(:admit) { [true].first }; define_method(:release) { [] } }
      runtime = HyperionRs::Runtime.new(metrics: metrics.new, logger: logger.new)
      app = ->(env) { env["PATH_INFO"] == "/raise" ? raise("broken") : [200, { "x-a" => "b" }, Enumerator.new { |y| y << "hello" }] }
      preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + "\0\0\0\4\0\0\0\0\0".b
      # GET / and GET /raise on two streams: indexed fields, and the authority and the path in letters.
      requests = [[1, "\x84"], [3, "\x04\x06/raise"]].map do |stream, path|
        block = "\x82\x86".b + path.b + "\x01\x01a".b
        [block.bytesize >> 8, block.bytesize & 255, 1, 5, stream].pack("CnCCN").b + block
      end
      2.times do
        handler = HyperionRs::Http2Handler.new(app: app, runtime: runtime, h2_admission: admission.new)
        near, far = UNIXSocket.pair
        GC.stress = true
        serving = Thread.new { handler.serve(far) }
        near.write(preface, *requests)
        received = "".b
        received << near.readpartial(1000) until received.include?("hello") && received.include?("Internal Server Error")
        near.close
        serving.join
        GC.stress = false
      end
      GC.compact
      GC.verify_compaction_references(toward: :empty, (RUBY_VERSION < "3.2" ? :double_heap : :expand_heap) => true)
      puts "survived"
    RUBY
    result = run_ruby(program, within: 300)
    expect(result.out).to eq("survived\n"), result.err
  end
end
