# frozen_string_literal: true

module HyperionRs
  # How this process was started, in order to start it again. Noted before an app is loaded, which may change its
  # directory or its title.
  class Program
    # Ruby's own record, ARGV, is emptied by those who parse it.
    COMMAND_LINE = "/proc/self/cmdline"
    private_constant :COMMAND_LINE

    # Whether the system tells.
    def self.known?
      File.readable?(COMMAND_LINE)
    end

    attr_reader :command, :directory

    def initialize(env)
      @command = File.binread(COMMAND_LINE).split("\0")
      @directory = directory_as_named(env)
    end

    # Becomes the program anew, with further environment variables, and with the descriptors open. Returns only by an
    # exception.
    def exec(variables, descriptors)
      kept = descriptors.to_h { |descriptor| [descriptor, descriptor] }
      name, *arguments = command
      # What Bundler has set names the Gemfile of this version of the app.
      env = defined?(::Bundler) ? ::Bundler.original_env : ENV.to_h
      Kernel.exec(env.merge(variables), [name, name], *arguments,
                  unsetenv_others: true, chdir: directory, **kept)
    end

    private

    # A deployment by symbolic link leads the next start to the next version: its name counts, not what it names now.
    def directory_as_named(env)
      named = env["PWD"]
      named && File.identical?(named, Dir.pwd) ? named : Dir.pwd
    end
  end
end
