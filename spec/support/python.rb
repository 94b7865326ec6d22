# frozen_string_literal: true

require "digest"
require "fileutils"
require "json"
require_relative "child_process"

# Python programs of spec/support/python. They run in a virtual environment with the packages of its requirements.txt,
# made once for all checkouts, unless the system's Python has what they import.
module Python
  DIRECTORY = File.join(__dir__, "python")
  REQUIREMENTS = File.join(DIRECTORY, "requirements.txt")
  # Imports what the programs do.
  TRIAL = ["python3", "-c", "import grpc, websockets.asyncio.client"].freeze
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
    # The Python that runs them. What fails is not tried again.
    def interpreter
      raise @failure if @failure

      @interpreter ||= ChildProcess.run(*TRIAL).status.success? ? TRIAL.first : installed
    rescue ChildProcess::Failed => e
      raise @failure = e
    end

    private

    def installed
      exclusively do
        install unless File.exist?(complete)
        File.join(environment, "bin/python")
      end
    end

    # Other processes may want the same.
    def exclusively
      FileUtils.mkdir_p(cache)
      File.open(File.join(cache, "python.lock"), File::CREAT | File::RDWR) do |lock|
        lock.flock(File::LOCK_EX)
        yield
      end
    end

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
