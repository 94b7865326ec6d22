# frozen_string_literal: true

require_relative "readme"

namespace :docs do
  desc "Write the table of options into README.md"
  task :options do
    Readme.update
  end
end
