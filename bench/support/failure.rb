# frozen_string_literal: true

# Measures servers of Rack apps against each other.
module Bench
  ROOT = File.expand_path("../..", __dir__)
  # Results, logs and the certificate.
  OUTPUT = File.join(ROOT, "tmp/bench")
  # What is downloaded.
  LARGE_FILE = File.join(OUTPUT, "large/file")

  # What ends a benchmark, in one line for its user.
  class Failure < StandardError; end

  # Runs a command of bench/; answers its exit status.
  def self.main(name)
    yield
    0
  rescue Failure => e
    warn "bench/#{name}: #{e.message}"
    1
  rescue Interrupt
    warn "bench/#{name}: interrupted"
    130
  end

  # Whether a program is in the PATH.
  def self.installed?(program)
    ENV.fetch("PATH").split(File::PATH_SEPARATOR).any? { |directory| File.executable?(File.join(directory, program)) }
  end
end
