# frozen_string_literal: true

require "digest"
require "fileutils"
require "json"
require_relative "child_process"

# Python programs of spec/support/python, with the packages of its requirements.txt in a virtual environment that is
# made once for all checkouts.
module Python
  DIRECTORY = File.join(__dir__, "python")
  REQUIREMENTS = File.join(DIRECTORY, "requirements.txt")
  # The packages are downloaded.
  INSTALL_WITHIN = 300

  # Runs a program with arguments of JSON and answers what it prints, which is JSON too.
  def python(program, *arguments, within: 60)
    command = [Python.interpreter, File.join(DIRECTORY, program), *arguments.map { |value| JSON.generate(value) }]
    result = ChildProcess.run(*command, within:)
    raise ChildProcess::Failed, "#{program}: #{result.err}#{result.out}" unless result.status.success?

    JSON.parse(result.out, symbolize_names: true)
  end

  class << self
    # The Python of the virtual environment, which is made when it is not there.
    def interpreter
      @interpreter ||= begin
        FileUtils.mkdir_p(cache)
        File.open(File.join(cache, "python.lock"), File::CREAT | File::RDWR) do |lock|
          lock.flock(File::LOCK_EX)
          install unless File.exist?(complete)
        end
        File.join(environment, "bin/python")
      end
    end

    private

    def install
      FileUtils.rm_rf(environment)
      run("python3", "-m", "venv", environment)
      run(File.join(environment, "bin/pip"), "install", "--quiet", "--disable-pip-version-check",
          "--requirement", REQUIREMENTS)
      FileUtils.touch(complete)
    end

    def run(*command)
      result = ChildProcess.run(*command, within: INSTALL_WITHIN)
      return if result.status.success?

      raise ChildProcess::Failed, "#{command.join(' ')}: #{result.err}#{result.out}(bin/setup installs what is missing)"
    end

    # One for each Python and each set of packages.
    def environment
      @environment ||= begin
        version = ChildProcess.run("python3", "-VV").out
        File.join(cache, "python-#{Digest::SHA256.hexdigest(version + File.read(REQUIREMENTS))[0, 12]}")
      end
    end

    # Written last.
    def complete
      File.join(environment, "complete")
    end

    def cache
      File.join(ENV.fetch("XDG_CACHE_HOME") { File.expand_path("~/.cache") }, "hyperion-rs")
    end
  end
end
