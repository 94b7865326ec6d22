# frozen_string_literal: true

require "socket"
require_relative "../support/child_process"

# A proxy with a configuration of its own, that listens on a socket in a directory of its own: no port has to be free.
class ProxyProcess < ChildProcess
  # The socket that it listens on.
  attr_reader :socket

  # Starts it with the configuration that the block answers for a directory, and waits until it listens.
  def self.start(directory, &)
    proxy = new(directory, &)
    proxy.wait_until_listening
    proxy
  rescue Failed
    # Nobody else knows of it.
    proxy&.kill
    raise
  end

  def initialize(directory)
    @directory = directory
    @socket = File.join(directory, "socket")
    configuration = File.join(directory, "configuration").tap { |path| File.write(path, yield) }
    super(*command(configuration), directory:)
  end

  def kill
    super
    FileUtils.rm_rf(@directory)
  end

  def wait_until_listening(within: 60)
    deadline = Deadline.new(within)
    begin
      UNIXSocket.new(@socket).close
    rescue SystemCallError
      raise Failed, "no proxy listens:\n#{log}" if deadline.passed? || !running?

      IO.select(nil, nil, nil, 0.02)
      retry
    end
  end

  # The path of a program that may not be in an account's PATH.
  def self.program(name)
    directories = ENV.fetch("PATH").split(":").push("/usr/sbin")
    directories.map { |directory| File.join(directory, name) }.find { |path| File.executable?(path) }
  end
end

# haproxy in the foreground, whose one server is told by its arguments.
class Haproxy < ProxyProcess
  # `frontend` are arguments of the frontend's `bind`.
  def self.to(server, frontend: "")
    directory = Dir.mktmpdir("haproxy")
    start(directory) { configuration(directory, server, frontend) }
  end

  def self.configuration(directory, server, frontend)
    <<~CONFIGURATION
      global
        maxconn 5000
        nbthread 1
      defaults
        mode http
        timeout connect 10s
        timeout client 30s
        timeout server 30s
        timeout tunnel 30s
        # All users share what connections there are.
        http-reuse always
      listen proxy
        bind unix@#{directory}/socket #{frontend}
        http-request set-header x-forwarded-proto https
        server app #{server}
    CONFIGURATION
  end
  private_class_method :configuration

  def command(configuration)
    [ProxyProcess.program("haproxy"), "-db", "-f", configuration]
  end
end

# nginx in one process in the foreground, with the directives of one location.
class Nginx < ProxyProcess
  # `listen` are parameters of `listen`.
  def self.with(location, listen: "")
    directory = Dir.mktmpdir("nginx")
    start(directory) { configuration(directory, location, listen) }
  end

  def self.configuration(directory, location, listen)
    <<~CONFIGURATION
      daemon off;
      master_process off;
      pid #{directory}/pid;
      error_log stderr;
      events {}
      http {
        access_log off;
        #{%w[client_body proxy fastcgi uwsgi scgi].map { |kind| "#{kind}_temp_path #{directory}/#{kind};" }.join(' ')}
        client_max_body_size 0;
        server {
          listen unix:#{directory}/socket #{listen};
          location / { #{location} }
        }
      }
    CONFIGURATION
  end
  private_class_method :configuration

  def command(configuration)
    [ProxyProcess.program("nginx"), "-e", "stderr", "-p", @directory, "-c", configuration]
  end
end
