# frozen_string_literal: true

require_relative "errors"

module HyperionRs
  # Holds the process id in a file while a block runs.
  class Pidfile
    # Runs the block; without a path, just that.
    def self.hold(path, &block)
      path ? new(path).hold(&block) : yield
    end

    # Removes the file at `path`, if there is one, when this process wrote it.
    def self.remove_own(path)
      path && new(path).remove_own
    end

    def initialize(path)
      @path = path
    end

    # A file that this process wrote by other means (`rails server` does) is left to its writer.
    def hold
      written = write
      yield
    ensure
      remove_own if written
    end

    def remove_own
      remove if owner == Process.pid
    end

    private

    def write
      File.open(@path, File::CREAT | File::EXCL | File::WRONLY) { |file| file.write("#{Process.pid}\n") }
      true
    rescue Errno::EEXIST
      return false if owner == Process.pid

      release_stale
      retry
    rescue SystemCallError => e
      raise failure("write", e)
    end

    # Removes a file whose process is gone.
    def release_stale
      pid = owner
      raise ConfigurationError, "pidfile: #{@path} belongs to the running process #{pid}" if pid && running?(pid)

      remove
    end

    def remove
      File.delete(@path)
    rescue Errno::ENOENT
      nil # Somebody else removed it just now.
    rescue SystemCallError => e
      raise failure("delete", e)
    end

    def owner
      pid = Integer(File.read(@path).strip, 10, exception: false)
      pid if pid&.positive?
    rescue Errno::ENOENT
      nil
    rescue SystemCallError => e
      raise failure("read", e)
    end

    def failure(what, error)
      ConfigurationError.new("pidfile: cannot #{what} #{@path}: #{error.class.new.message}")
    end

    def running?(pid)
      Process.kill(0, pid)
      true
    rescue Errno::ESRCH
      false
    rescue Errno::EPERM # It runs as another user.
      true
    end
  end
end
