# frozen_string_literal: true

require_relative "readme"

namespace :docs do
  desc "Write the table of options into README.md"
  task :options do
    Readme.update
  end

  desc "Write the figures of the last bench/run into README.md and docs/benchmarks.md"
  task :bench do
    Readme.publish_benchmarks
  end
end
