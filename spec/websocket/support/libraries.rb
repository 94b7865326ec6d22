# frozen_string_literal: true

# The libraries by which apps serve WebSockets. Distributions compile them for one Ruby.
module WebSocketLibraries
  GEMS = %w[faye-websocket nio4r websocket-driver].freeze

  def self.available?
    GEMS.all? { |name| Gem::Specification.find_all_by_name(name).any? }
  end
end
