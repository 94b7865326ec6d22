# frozen_string_literal: true

module HyperionRs
  # Looks whether a file is touched, as `rails restart` and Passenger's users do with tmp/restart.txt.
  class RestartFile
    # Relative to the working directory.
    PATH = "tmp/restart.txt"
    # Seconds between two looks: a person does not notice them, nor does the machine.
    INTERVAL = 1

    # Calls `touched` once, in a thread of its own, when the file is touched while the block runs.
    def self.watch(touched, path: File.expand_path(PATH), interval: INTERVAL)
      before = stamp(path)
      watcher = Thread.new do
        sleep interval until touched?(path, before)
        touched.call
      end
      yield
    ensure
      watcher&.kill&.join
    end

    def self.touched?(path, before)
      now = stamp(path)
      !now.nil? && now != before
    end

    def self.stamp(path)
      File.stat(path).mtime
    rescue SystemCallError
      nil # It need not exist, and a look that fails is made again.
    end

    private_class_method :touched?, :stamp
  end
end
