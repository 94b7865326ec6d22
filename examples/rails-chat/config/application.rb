# frozen_string_literal: true

require_relative "boot"
require "logger"
require "rails"
require "action_controller/railtie"
require "action_view/railtie"
require "action_cable/engine"
require "hyperion_rs"

module RailsChat
  class Application < Rails::Application
    config.load_defaults Rails::VERSION::STRING[/\A\d+\.\d+/].to_f
    config.eager_load = Rails.env.production?
    config.consider_all_requests_local = !Rails.env.production?
    config.logger = ActiveSupport::Logger.new($stdout) if ENV["RAILS_LOG_TO_STDOUT"].present?
    config.public_file_server.enabled = true
    # The client that comes with ActionCable; with an asset pipeline it would be there.
    config.middleware.insert_after ActionDispatch::Static, ActionDispatch::Static,
                                   ActionCable::Engine.root.join("app/assets/javascripts").to_s
    config.action_cable.cable = { "adapter" => "async" }
  end
end
