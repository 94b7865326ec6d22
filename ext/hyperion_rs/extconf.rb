# frozen_string_literal: true

# Writes the Makefile with which RubyGems builds and installs the native library.
# RubyGems' own cargo builder is not used: before 3.4.6 it installs lib/<gem-name>.so, and a name with a hyphen has no
# Init function.

require "shellwords"
require_relative "toolchain"

def make_quote(word)
  Shellwords.escape(word).gsub("$", "$$")
end

toolchain = Toolchain.new
begin
  toolchain.check!
rescue Toolchain::Missing => e
  abort e.message
end

# A target directory that the caller named is a cache of the caller's: it is used, and left alone.
shared_target_dir = ENV.fetch("CARGO_TARGET_DIR", "")
target_dir = File.expand_path(shared_target_dir.empty? ? "target" : shared_target_dir)
remove_target = shared_target_dir.empty? ? "rm -rf #{make_quote(target_dir)}" : ":"

command = toolchain.cargo_command(target_dir:, locked: true, rustc_args: %w[-C strip=symbols])
environment = toolchain.build_env.map { |name, value| "#{name}=#{make_quote(value)}" }

# `gem install` sets DESTDIR, and from RubyGems 3.4 on sitearchdir, on make's command line.
File.write("Makefile", <<~MAKEFILE)
  SHELL = /bin/sh
  DESTDIR =
  sitearchdir = #{RbConfig::CONFIG['sitearchdir'].gsub('$', '$$')}
  installed = $(DESTDIR)$(sitearchdir)/hyperion_rs

  .PHONY: all install clean distclean

  all:
  \t#{[*environment, *command.map { |word| make_quote(word) }].join(' ')}

  install: all
  \tmkdir -p "$(installed)"
  \tcp #{make_quote(toolchain.built_library(target_dir))} "$(installed)/#{Toolchain.library_name}.tmp"
  \tmv -f "$(installed)/#{Toolchain.library_name}.tmp" "$(installed)/#{Toolchain.library_name}"
  \t#{remove_target}

  clean:
  \t#{remove_target}

  distclean: clean
  \trm -f Makefile
MAKEFILE
