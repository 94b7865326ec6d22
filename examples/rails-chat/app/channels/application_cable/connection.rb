# frozen_string_literal: true

module ApplicationCable
  class Connection < ActionCable::Connection::Base
    # Two people in two windows of one browser are two.
    identified_by :number

    def connect
      self.number = SecureRandom.hex(8)
    end
  end
end
