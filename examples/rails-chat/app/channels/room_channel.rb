# frozen_string_literal: true

class RoomChannel < ActionCable::Channel::Base
  def subscribed
    stream_from "room"
  end

  # What a page sends over the cable itself.
  def say(message)
    Room.say(message["author"], message["text"])
  end
end
