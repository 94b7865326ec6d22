# frozen_string_literal: true

require "fileutils"
require "openssl"
require "socket"
require_relative "failure"
require_relative "process_tree"

module Bench
  # A server process on a free port of 127.0.0.1, with TLS unless the scheme is http; then it speaks HTTP/2 alone.
  class Server
    HOST = "127.0.0.1"
    # Below those that systems hand out to whoever asks for any: nobody else gets the port before the server has it.
    PORTS = (20_000...32_000)
    # Seconds for a server to listen, and to leave after TERM before it is killed; under valgrind both take their time.
    START_DEADLINE = 180
    STOP_DEADLINE = 60
    POLL_INTERVAL = 0.05
    # Lines of a server's output that are shown when it fails.
    TAIL = 20

    attr_reader :port, :protocol
    # The file of its output.
    attr_reader :log

    # Yields the running server, which answers requests for `path`. `command` gets the port and answers what to spawn.
    def self.run(name, command, path = "/", scheme: "https")
      server = new(name, command, path, scheme)
      server.start
      yield server
    ensure
      server&.stop
    end

    def initialize(name, command, path, scheme)
      @name = name
      @command = command
      @path = path
      @scheme = scheme
      @log = File.join(OUTPUT, "#{name.gsub(/[^\w.-]+/, '_')}.log")
    end

    def start
      @port = free_port
      FileUtils.mkdir_p(OUTPUT)
      @pid = Process.spawn(*@command.call(@port), chdir: ROOT, in: File::NULL, out: @log, err: %i[child out],
                                                  pgroup: true)
      @tree = ProcessTree.new(@pid)
      @protocol = wait_until_ready
    end

    def stop
      return unless @pid && !reaped?

      signal(:TERM)
      return if wait_for_end

      signal(:KILL)
      Process.wait(@pid)
    ensure
      @pid = nil
    end

    def url(path)
      "#{@scheme}://#{HOST}:#{port}#{path}"
    end

    # Seconds of CPU by process name.
    def cpu = @tree.cpu

    # The same by the names of threads.
    def thread_cpu = @tree.thread_cpu

    # Resident memory in KiB.
    def rss = @tree.rss

    # Raises Failure unless the process still runs.
    def check
      fail_with("ended") if reaped?
    end

    private

    def free_port
      PORTS.to_a.shuffle.find do |port|
        TCPServer.open(HOST, port).close
        true
      rescue Errno::EADDRINUSE
        false
      end
    end

    # The process answers a request; the protocol that it picks is the one that it is measured with.
    def wait_until_ready
      deadline = now + START_DEADLINE
      until (protocol = handshake) && answers?
        check
        fail_with("does not answer #{url(@path)} after #{START_DEADLINE} s") if now > deadline
        sleep(POLL_INTERVAL)
      end
      # It may be another that answers there.
      check
      protocol
    end

    # The protocol; nil while nobody listens.
    def handshake
      return "h2" if @scheme == "http"

      context = OpenSSL::SSL::SSLContext.new
      context.alpn_protocols = %w[h2 http/1.1]
      Socket.tcp(HOST, port, connect_timeout: START_DEADLINE) do |socket|
        OpenSSL::SSL::SSLSocket.new(socket, context).connect.alpn_protocol || "http/1.1"
      end
    rescue SystemCallError, OpenSSL::SSL::SSLError
      nil
    end

    # A server in front of another listens before that one does. The head is enough: the body may be large.
    def answers?
      version = @scheme == "http" ? "--http2-prior-knowledge" : "--http2"
      system("curl", version, "--noproxy", "*", "-ksSfI", "--max-time", "5", url(@path),
             in: File::NULL, out: File::NULL, err: File::NULL)
    end

    def wait_for_end
      deadline = now + STOP_DEADLINE
      until reaped?
        return false if now > deadline

        sleep(POLL_INTERVAL)
      end
      true
    end

    def reaped?
      @reaped ||= !Process.wait(@pid, Process::WNOHANG).nil?
    end

    # The whole group: a server may have workers, or a shell around it.
    def signal(name)
      Process.kill(name, -@pid)
    rescue Errno::ESRCH
      # It ended by itself in between.
      nil
    end

    def fail_with(what)
      tail = File.foreach(@log).to_a.last(TAIL).join
      raise Failure, "#{@name} #{what}; its output (#{@log}):\n#{tail}"
    end

    def now
      Process.clock_gettime(Process::CLOCK_MONOTONIC)
    end
  end
end
