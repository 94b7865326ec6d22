# frozen_string_literal: true

require "fileutils"
require "tmpdir"

# Files and directories that vanish with their example.
module TemporaryFiles
  def self.included(example_group)
    example_group.after { FileUtils.rm_rf(@temporary_directory) if @temporary_directory }
  end

  # The example's own directory, without symbolic links in its path.
  def temporary_directory
    @temporary_directory ||= File.realpath(Dir.mktmpdir("hyperion-rs-spec"))
  end

  # Writes a file there and answers its path.
  def write_file(name, content)
    File.join(temporary_directory, name).tap do |path|
      FileUtils.mkdir_p(File.dirname(path))
      File.binwrite(path, content)
    end
  end

  def in_temporary_directory(&block)
    Dir.chdir(temporary_directory, &block)
  end
end
