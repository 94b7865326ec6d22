# frozen_string_literal: true

desc "Run the specs against the compiled library"
task spec: :compile do
  ruby "-S", "rspec"
end
