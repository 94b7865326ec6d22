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
end
