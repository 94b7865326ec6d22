# frozen_string_literal: true

require "fileutils"
require_relative "child_process"
require_relative "server_process"

# A Rails app made with `rails new`, with a form, a session, an upload and a redirect.
class RailsApp
  # Distributions have one or the other, or none.
  PIPELINE = %w[sprockets-rails propshaft].find { |name| Gem::Specification.find_all_by_name(name).any? }
  GEMFILE = ["rails", *PIPELINE].map { |name| "gem #{name.inspect}\n" }
                                .push("gem \"hyperion-rs\", path: #{ServerProcess::ROOT.inspect}\n").join.freeze

  ROUTES = <<~RUBY
    Rails.application.routes.draw do
      root "notes#new"
      resources :notes, only: %i[new create show]
    end
  RUBY

  CONTROLLER = <<~'RUBY'
    class NotesController < ApplicationController
      def new
        session[:visits] = session[:visits].to_i + 1
      end

      def create
        redirect_to note_url(params[:file].size, title: params[:title])
      end

      def show
        render plain: "#{params[:title]}: #{params[:id]} bytes after #{session[:visits]} visits"
      end
    end
  RUBY

  FORM = <<~ERB
    <%= form_with url: notes_path, multipart: true do |form| %>
      <%= form.text_field :title %> <%= form.file_field :file %> <%= form.submit %>
    <% end %>
  ERB

  LAYOUT = <<~ERB.freeze
    <!doctype html>
    <%= csrf_meta_tags %>
    <%= stylesheet_link_tag "/plain.css" %>
    <%= stylesheet_link_tag "application" if #{!PIPELINE.nil?} %>
    <%= yield %>
  ERB
  STYLE = "body { color: #123456 }\n"

  # Whether `rails new` can be run here.
  def self.available?
    Gem::Specification.find_all_by_name("railties").any?
  end

  attr_reader :directory

  def initialize(directory)
    @directory = directory
    generate
    write("Gemfile", GEMFILE)
    write("config/routes.rb", ROUTES)
    write("app/controllers/notes_controller.rb", CONTROLLER)
    write("app/views/notes/new.html.erb", FORM)
    write("app/views/layouts/application.html.erb", LAYOUT)
    write("app/assets/stylesheets/application.css", STYLE)
    write("public/plain.css", STYLE)
    remove_settings_of_absent_gems
  end

  # The command line of `rails server` and its environment.
  def server_command(*arguments)
    [RbConfig.ruby, File.join(directory, "bin/rails"), "server", "-u", "hyperion_rs", *arguments]
  end

  private

  def generate
    result = ChildProcess.run("rails", "new", directory, "--minimal", "--skip-active-record", "--skip-bundle",
                              "--skip-git", "--quiet", within: 180)
    raise ChildProcess::Failed, result.out + result.err unless result.status.success?
  end

  # `rails new` writes them for the gems that it would have put into the Gemfile.
  def remove_settings_of_absent_gems
    development = File.join(directory, "config/environments/development.rb")
    File.write(development, File.read(development).gsub(/^\s*config\.(file_watcher|assets\.).*$/, ""))
    FileUtils.rm_f(File.join(directory, "config/initializers/assets.rb")) unless PIPELINE
  end

  def write(name, content)
    path = File.join(directory, name)
    FileUtils.mkdir_p(File.dirname(path))
    File.write(path, content)
  end
end
