# frozen_string_literal: true

require "digest"
require "fileutils"
require "json"
require_relative "child_process"

# Python programs of spec/support/python.
module Python
  DIRECTORY = File.join(__dir__, "python")

  # A virtual environment with the packages of a file of requirements, made once for all checkouts, unless the system's
  # Python has what the programs import.
  class Environment
    # The packages are downloaded.
    INSTALL_WITHIN = 300
    # pip asks again by itself, but not after every fault of an index.
    ATTEMPTS = 3

    def initialize(imports:, requirements:)
      @imports = imports
      @requirements = File.join(DIRECTORY, requirements)
    end

    # The Python that runs them. What fails is not tried again.
    def interpreter
      raise @failure if @failure

      @interpreter ||= works?("import #{@imports}") ? "python3" : installed
    rescue ChildProcess::Failed => e
      raise @failure = e
    end

    # Whether there is one, or can be: Debian sid in bin/matrix has neither the network nor venv.
    def possible?
      works?("import #{@imports}") || works?("import ensurepip, venv")
    end

    private

    def works?(program)
      ChildProcess.run("python3", "-c", program).status.success?
    end

    def installed
      exclusively do
        install unless File.exist?(complete)
        File.join(directory, "bin/python")
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
      FileUtils.rm_rf(directory)
      run("python3", "-m", "venv", directory)
      download
      FileUtils.touch(complete)
    end

    def download
      attempt ||= 1
      run(File.join(directory, "bin/pip"), "install", "--quiet", "--disable-pip-version-check", "--retries", "8",
          "--requirement", @requirements)
    rescue ChildProcess::Failed => e
      raise if (attempt += 1) > ATTEMPTS

      warn e.message
      retry
    end

    def run(*command)
      result = ChildProcess.run(*command, within: INSTALL_WITHIN)
      return if result.status.success?

      raise ChildProcess::Failed, "#{command.join(' ')}: #{result.err}#{result.out}(bin/setup installs what is missing)"
    end

    # One for each Python and each set of packages.
    def directory
      @directory ||= begin
        version = ChildProcess.run("python3", "-VV").out
        File.join(cache, "python-#{Digest::SHA256.hexdigest(version + File.read(@requirements))[0, 12]}")
      end
    end

    # Written last.
    def complete
      File.join(directory, "complete")
    end

    def cache
      File.join(ENV.fetch("XDG_CACHE_HOME") { File.expand_path("~/.cache") }, "hyperion-rs")
    end
  end

  CLIENTS = Environment.new(imports: "grpc, websockets.asyncio.client", requirements: "requirements.txt")
  AUTOBAHN = Environment.new(imports: "kosoku", requirements: "autobahn.txt")

  # Runs a program with arguments of JSON and answers what it prints, which is JSON too.
  def python(program, *arguments, environment: CLIENTS, within: 120)
    command = [environment.interpreter, File.join(DIRECTORY, program), *arguments.map { |value| JSON.generate(value) }]
    result = ChildProcess.run(*command, within:)
    raise ChildProcess::Failed, "#{program}: #{result.err}#{result.out}" unless result.status.success?

    JSON.parse(result.out, symbolize_names: true)
  end
end
