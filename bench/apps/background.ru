# frozen_string_literal: true

# A thread of the app beside those that serve: "/turns" tells how often it has got its turn.
class Background
  # Seconds between two turns when nobody else wants the interpreter.
  PAUSE = 0.001

  def initialize
    @turns = 0
    @thread = Thread.new do
      loop do
        sleep PAUSE
        @turns += 1
      end
    end
  end

  def call(env)
    [200, { "content-type" => "text/plain" }, [env["PATH_INFO"] == "/turns" ? @turns.to_s : "hello"]]
  end
end

run Background.new
