# frozen_string_literal: true

require "rbconfig"
require "uri"
require_relative "child_process"

# A real server in a process of its own, on a free port of 127.0.0.1.
class ServerProcess < ChildProcess
  ROOT = File.expand_path("../..", __dir__)
  LIBRARY = File.join(ROOT, "lib")
  COMMAND = [RbConfig.ruby, File.join(ROOT, "exe/hyperion-rs")].freeze
  RACKUP = [RbConfig.ruby, "-I", LIBRARY, "-S", "rackup"].freeze
  LISTENING = /^hyperion-rs \S+ listening on (.+?) \(/

  # The command line. `options` are option names and values; with `via: :command` they become flags, with `:rackup` (or
  # the name of a handler) -O pairs.
  def self.command_line(rackup_file, via: :command, options: {}, arguments: [])
    case via
    when :command
      flags = options.flat_map { |name, value| flag(name.to_s.tr("_", "-"), value) }
      [*COMMAND, *arguments, *flags, *rackup_file]
    else
      pairs = options.flat_map { |name, value| ["-O", "#{name}=#{value}"] }
      [*RACKUP, "-s", via == :rackup ? "hyperion_rs" : via, *arguments, *pairs, *rackup_file]
    end
  end

  def self.flag(name, value)
    case value
    when true then ["--#{name}"]
    when false then ["--no-#{name}"]
    else ["--#{name}", value.to_s]
    end
  end
  private_class_method :flag

  # Starts a server and waits until it listens.
  def self.start(rackup_file, arguments: ["-o", "127.0.0.1", "-p", "0"], via: :command, options: {}, **process)
    server = new(*command_line(rackup_file, via:, options:, arguments:), **process)
    server.wait_until_listening
    server
  rescue Failed
    # Nobody else knows of it.
    server&.kill
    raise
  end

  # The URLs of the start line.
  attr_reader :urls

  def wait_until_listening(within: 60)
    @urls = wait_for(LISTENING, within:)[1].split(", ")
  end

  def url(path = "")
    "#{urls.first}#{path}"
  end

  def port
    URI(urls.first).port
  end

  # Sends the signal and answers the exit status.
  def stop(signal = :TERM, within: 30)
    signal(signal)
    wait(within:)
  end
end
