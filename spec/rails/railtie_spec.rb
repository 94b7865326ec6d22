# frozen_string_literal: true

require "rbconfig"
require_relative "rails_helper"

with_database = %w[railties activerecord sqlite3].all? { |name| Gem::Specification.find_all_by_name(name).any? }

RSpec.describe "the Railtie", if: with_database do
  # Serves for a moment, in a program that has Rails and a database, or none; answers what it logged.
  def log(threads:, pool: nil)
    connect = "ActiveRecord::Base.establish_connection(adapter: 'sqlite3', database: ':memory:', pool: #{pool})" if pool
    program = write_file("program.rb", <<~RUBY)
      require "logger"
      require "hyperion_rs"
      # Only now, as in an app that the hyperion-rs command loads.
      require "rails"
      require "active_record"
      #{connect}
      server = HyperionRs::Server.new(->(_env) {}, { host: "127.0.0.1", port: 0, threads: "#{threads}" })
      HyperionRs.on_serve(&:shutdown)
      server.run
    RUBY
    result = ChildProcess.run(RbConfig.ruby, "-I", ServerProcess::LIBRARY, program, directory: temporary_directory)
    expect(result.status).to be_success, result.err
    result.err
  end

  it "warns of a database pool that is smaller than the threads" do
    expect(log(threads: "2:8", pool: 5))
      .to match(/WARN.* threads: up to 8 \(from option threads\) share a database pool of 5 connections/)
  end

  it "has nothing to say of a pool that is large enough, or where there is none" do
    expect([log(threads: "2:5", pool: 5), log(threads: "2:5")]).to eq(["", ""])
  end
end
