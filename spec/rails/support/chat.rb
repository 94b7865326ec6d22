# frozen_string_literal: true

require "fileutils"
require "rbconfig"
require_relative "../../support/server_process"

# A copy of examples/rails-chat, with further routes for the specs.
class Chat
  EXAMPLE = File.join(ServerProcess::ROOT, "examples/rails-chat")
  PROBES = File.join(__dir__, "probes_controller.rb")
  ACTIONS = { get: %w[seen events endless file named data crumbs read cached away empty fail], post: %w[echo] }.freeze
  ALPHABET = ("a".."z").to_a.join

  # What it takes beside the server: Rails and ActionCable.
  def self.available?
    %w[railties actioncable].all? { |name| Gem::Specification.find_all_by_name(name).any? }
  end

  attr_reader :directory

  def initialize(directory)
    @directory = File.join(directory, "chat")
    FileUtils.cp_r(EXAMPLE, @directory)
    %w[log tmp].each { |name| FileUtils.rm_rf(File.join(@directory, name)) }
    File.write(File.join(@directory, "storage/alphabet.txt"), ALPHABET)
    add_probes
  end

  # Starts `rails server` with these arguments, and waits until it listens.
  def serve(*arguments, env: {}, with: %w[-u hyperion_rs])
    server = start(*arguments, env:, with:)
    server.wait_until_listening(within: 120)
    server
  rescue ChildProcess::Failed
    server&.kill
    raise
  end

  # As `serve`, for any server; what it prints is for the caller to wait for.
  def start(*arguments, env: {}, with: %w[-u hyperion_rs])
    command = [RbConfig.ruby, "bin/rails", "server", *with, "-b", "127.0.0.1", *arguments]
    ServerProcess.new(*command, directory: @directory, env: { **environment, **env })
  end

  # As in production, but for the place of the log.
  def environment
    { "RAILS_ENV" => "production", "SECRET_KEY_BASE" => "0123456789abcdef" * 8, "RAILS_LOG_TO_STDOUT" => "1",
      "RUBYLIB" => ServerProcess::LIBRARY, "XDG_DATA_HOME" => ServerHelper.data_home }
  end

  private

  def add_probes
    FileUtils.cp(PROBES, File.join(@directory, "app/controllers"))
    routes = ACTIONS.flat_map { |verb, actions| actions.map { |action| "  #{verb} \"probes/#{action}\"\n" } }
    file = File.join(@directory, "config/routes.rb")
    File.write(file, File.read(file).sub(/^end$/) { "#{routes.join}end" })
  end
end
