# frozen_string_literal: true

require "rbconfig"
require_relative "rails_helper"

with_capybara = Gem::Specification.find_all_by_name("capybara").any?

RSpec.describe "Capybara.server = :hyperion_rs", if: with_capybara do
  def run(program, **options)
    file = write_file("program.rb", program)
    command = [RbConfig.ruby, "-I", ServerProcess::LIBRARY, file]
    result = ChildProcess.run(*command, directory: temporary_directory, **options)
    expect(result.status).to be_success, result.err
    [result.out, result.err]
  end

  it "serves the app under test" do
    # What the app's own server is told is not for the tests.
    write_file("config/hyperion_rs.rb", "raise 'it was read'")
    output = run(<<~'RUBY', env: { "HYPERION_RS_THREADS" => "no number", "PORT" => "1" })
      require "capybara"
      require "net/http"
      require "hyperion_rs/capybara"

      Capybara.server = :hyperion_rs, { threads: "2:3" }
      app = ->(env) { [200, { "content-type" => "text/plain" }, [env["SERVER_SOFTWARE"], Thread.current.name].map(&:to_s)] }
      server = Capybara::Server.new(app).boot
      puts Net::HTTP.get(URI("#{server.base_url}/"))
    RUBY
    expect(output).to match([%r{\Ahyperion-rs/}, ""])
  end

  it "needs no require in system tests of Rails", if: Chat.available? do
    output, = run(<<~'RUBY')
      require "rails"
      require "hyperion_rs"
      ActiveSupport.run_load_hooks(:action_dispatch_system_test_case, Object)
      puts Capybara.servers[:hyperion_rs].respond_to?(:call)
    RUBY
    expect(output).to eq("true\n")
  end
end
