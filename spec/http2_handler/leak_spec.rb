# frozen_string_literal: true

require_relative "handler_helper"

RSpec.describe HyperionRs::Http2Handler, "after 10,000 connections in sequence" do
  # Serves them, each with one request, and prints what it has after the first thousand and at the end.
  program = <<~'RUBY'
    handler = HyperionRs::Http2Handler.new(app: ->(_) { [200, {}, ["hello"]] },
                                           runtime: HyperionRs::Runtime.new(logger: Logger.new(nil)))
    preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + "\0\0\0\4\0\0\0\0\0".b
    request = [0, 6, 1, 5, 1].pack("CnCCN").b + "\x82\x84\x86\x01\x01a".b
    connect = lambda do |_index|
      near, far = UNIXSocket.pair
      serving = Thread.new { handler.serve(far) }
      near.write(preface, request)
      received = "".b
      received << near.readpartial(1000) until received.end_with?("hello")
      near.close
      serving.join
    end
    figures = -> { [Dir.children("/proc/self/fd").size, Thread.list.size] }
    # What is on its way out goes, up to what there was before.
    settle = lambda do |most|
      deadline = Process.clock_gettime(Process::CLOCK_MONOTONIC) + 30
      settled = -> { figures.call.zip(most).all? { |now, before| now <= before } }
      sleep 0.01 until settled.call || Process.clock_gettime(Process::CLOCK_MONOTONIC) > deadline
    end
    report = lambda do
      GC.start
      memory = File.read("/proc/self/status")[/^VmRSS:\s+(\d+)/, 1].to_i
      fibers = ObjectSpace.each_object(Fiber).count
      puts "descriptors=#{Dir.children('/proc/self/fd').size} threads=#{Thread.list.size} " \
           "tasks=#{Dir.children('/proc/self/task').size} fibers=#{fibers} memory=#{memory}"
    end
    1_000.times(&connect)
    report.call
    before = figures.call
    9_000.times(&connect)
    settle.call(before)
    report.call
  RUBY

  # The same with TLS in Ruby, whose bytes are passed on by threads.
  encrypted = <<~'RUBY'
    require "openssl"
    key = OpenSSL::PKey::EC.generate("prime256v1")
    certificate = OpenSSL::X509::Certificate.new
    certificate.serial = 1
    certificate.subject = certificate.issuer = OpenSSL::X509::Name.parse("/CN=localhost")
    certificate.public_key = key
    certificate.not_before = Time.now - 60
    certificate.not_after = Time.now + 3600
    certificate.sign(key, "SHA256")
    context = OpenSSL::SSL::SSLContext.new
    context.cert = certificate
    context.key = key
    wrap = ->(socket, *context) { OpenSSL::SSL::SSLSocket.new(socket, *context).tap { |ssl| ssl.sync_close = true } }
    pair = lambda do
      near, far = UNIXSocket.pair
      accepting = Thread.new { wrap.call(far, context).tap(&:accept) }
      [wrap.call(near).tap(&:connect), accepting.value]
    end
  RUBY

  # What the two lines say.
  def figures(output)
    output.lines.map { |line| line.scan(/(\w+)=(\d+)/).to_h { |name, value| [name.to_sym, value.to_i] } }
  end

  it "has no more descriptors or threads when the bytes were passed on by Ruby" do
    result = run_ruby(encrypted + program.sub("UNIXSocket.pair", "pair.call").gsub("1_000.times", "100.times")
                                         .sub("9_000.times", "900.times"), within: 300)
    expect(result.status).to be_success, result.err
    first, last = figures(result.out)
    expect(last[:descriptors]).to be <= first[:descriptors]
    expect(last[:threads]).to be <= first[:threads]
  end

  it "has no more descriptors, threads, fibers or native memory than after the first thousand" do
    result = run_ruby(program, within: 300)
    expect(result.status).to be_success, result.err
    first, last = figures(result.out)
    expect(last[:descriptors]).to be <= first[:descriptors]
    expect(last[:threads]).to be <= first[:threads]
    # Ruby keeps a native thread or two, and dead Fiber objects that its stack seems to refer to.
    expect(last[:tasks]).to be <= first[:tasks] + 2
    expect(last[:fibers]).to be <= first[:fibers] + 5
    # KiB; 9,000 connections that left 256 bytes each would show.
    expect(last[:memory] - first[:memory]).to be < 2_048
  end
end
