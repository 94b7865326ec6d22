# frozen_string_literal: true

class MessagesController < ApplicationController
  def index
    session[:visits] = session[:visits].to_i + 1
    @messages = Room.messages
  end

  def create
    Room.say(params.require(:author), params.require(:text))
    redirect_to root_path, status: :see_other
  end

  # A download that is sent while it is made.
  def export
    headers["Content-Disposition"] = 'attachment; filename="messages.csv"'
    headers["Content-Type"] = "text/csv; charset=utf-8"
    # Rack::ETag would gather all of it first.
    headers["Last-Modified"] = Time.now.httpdate
    self.response_body = Enumerator.new do |lines|
      lines << "at,author,text\n"
      Room.messages.each { |message| lines << "#{[message.at.iso8601, message.author, message.text].join(',')}\n" }
    end
  end
end
