# frozen_string_literal: true

require "json"
require "tmpdir"
require_relative "support/chat"

# The example app, and servers of it, for a group of examples: Rails takes seconds to start.
module RailsHelper
  # For the group itself.
  module Group
    # One server for all examples of the group, as `server`; it has to end well when they are done.
    def serve_chat(*arguments, **options)
      before(:context) do
        @directory = Dir.mktmpdir("hyperion-rs-rails")
        @chat = Chat.new(@directory)
        @server = @chat.serve(*arguments, **options)
      end
      after(:context) do
        status = @server&.stop
        raise "the server ended with #{status}:\n#{@server.log}" if status && !status.exitstatus&.zero?
      ensure
        @server&.kill
        FileUtils.rm_rf(@directory)
      end
    end
  end

  attr_reader :chat, :server

  def get(path, *arguments)
    curl(server.url(path), "--http#{version}", *arguments)
  end

  # Of HTTP.
  def version
    "2"
  end

  # The path of a file that keeps the cookies of a client.
  def jar
    @jar ||= File.join(temporary_directory, "cookies")
  end

  # As `get`, by a client that keeps its cookies.
  def browse(path, *arguments)
    get(path, "--cookie", jar, "--cookie-jar", jar, *arguments)
  end

  # The token of a page, which all of its forms may use.
  def token(page)
    page.body[/name="csrf-token" content="([^"]+)"/, 1]
  end
end

RSpec.configure do |config|
  config.include RailsHelper, file_path: %r{/spec/rails/}
  config.include ServerHelper, file_path: %r{/spec/rails/}
  config.include Http2Client, file_path: %r{/spec/rails/}
  config.extend RailsHelper::Group, file_path: %r{/spec/rails/}
end
