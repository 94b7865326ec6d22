# frozen_string_literal: true

class FilesController < ApplicationController
  STORAGE = Rails.root.join("storage")

  def create
    upload = params.require(:file)
    name = File.basename(upload.original_filename).delete_prefix(".")
    FileUtils.cp(upload.path, STORAGE.join(name))
    Room.say("file", "#{name} (#{upload.size} bytes)")
    redirect_to file_path(name), status: :see_other
  end

  def show
    path = STORAGE.join(File.basename(params[:id]))
    path.file? ? send_file(path) : head(:not_found)
  end

  # The client that Rails comes with; an app with an asset pipeline has it there.
  def action_cable
    script = ActionCable::Engine.root.glob("app/assets/javascripts/action{_,}cable.js").first
    expires_in 1.hour, public: true
    send_file script, type: "text/javascript", disposition: "inline"
  end
end
