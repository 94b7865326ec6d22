# frozen_string_literal: true

require_relative "failure"

module Bench
  # What is served: a rackup file of bench/apps, and the loads that it is measured under when nothing is said.
  App = Struct.new(:name, :loads, :upload, keyword_init: true) do
    # h2load sends `upload` as the body of a POST.
    def h2load_arguments
      return [] unless upload

      path = File.join(OUTPUT, "#{name}.upload")
      File.write(path, upload)
      ["-d", path, "-H", "content-type: application/x-www-form-urlencoded"]
    end

    def to_s = name
  end

  ALL_LOADS = %w[c1m1 c1m100 c8m32 c64m8 rate half].freeze
  APPS = [
    App.new(name: "hello", loads: ALL_LOADS),
    App.new(name: "headers", loads: ALL_LOADS),
    App.new(name: "post", loads: %w[c1m100 c8m32], upload: "title=Thirty-three+bytes&count=33"),
    App.new(name: "body", loads: %w[c1m100 c8m32]),
    App.new(name: "sleep", loads: %w[c8m32]),
    App.new(name: "rails", loads: %w[c1m100 c8m32])
  ].freeze
end
