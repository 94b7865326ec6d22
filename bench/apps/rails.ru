# frozen_string_literal: true

require "action_controller/railtie"

# A Rails app with all that Rails puts before an action: `rails new` without a database.
class BenchApp < Rails::Application
  config.eager_load = true
  config.secret_key_base = "of the benchmark"
  config.logger = Logger.new(IO::NULL)
  config.hosts.clear
  routes.append { root to: "notes#index" }
end

# One action, with a template.
class NotesController < ActionController::Base
  NOTES = Array.new(10) { |number| { id: number, title: "Note #{number}" } }.freeze

  prepend_view_path File.join(__dir__, "views")

  def index
    @notes = NOTES
  end
end

BenchApp.initialize!
run BenchApp
