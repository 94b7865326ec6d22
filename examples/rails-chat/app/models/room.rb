# frozen_string_literal: true

# What was said, in the memory of the process.
class Room
  Message = Struct.new(:author, :text, :at)
  CAPACITY = 100

  @messages = []
  @lock = Mutex.new

  class << self
    def messages
      @lock.synchronize { @messages.dup }
    end

    # Keeps a message, and tells it to everybody who looks at the page.
    def say(author, text)
      message = Message.new(author.presence || "somebody", text, Time.now.utc)
      @lock.synchronize { @messages = [*@messages, message].last(CAPACITY) }
      ActionCable.server.broadcast("room", { author: message.author, text: message.text })
      message
    end
  end
end
