# frozen_string_literal: true

require "rbconfig"

# What building the native library needs, and the cargo command that builds it: one place for extconf.rb and
# `rake compile`. Uses nothing beyond Ruby's standard library, because `gem install` runs it before any dependency.
class Toolchain
  # Something that has to be installed first; the message is the one line to show.
  class Missing < StandardError; end

  ROOT = File.expand_path("../..", __dir__)
  # The workspace is written in edition 2024.
  MINIMUM_CARGO = Gem::Version.new("1.85")

  # aws-lc-sys is compiled anew whenever this variable changes, and RubyGems sets it for every build. This is RubyGems'
  # own default, so that `rake compile` and `gem install` can share a target directory.
  SOURCE_DATE_EPOCH = "315619200"

  # Where bindgen looks for libclang, in its order of trust (clang-sys, build/dynamic.rs).
  LIBCLANG_DIRECTORIES = %w[
    /usr/local/llvm*/lib* /usr/local/lib* /usr/local/lib*/* /usr/local/lib*/*/*
    /usr/lib* /usr/lib*/* /usr/lib*/*/*
    /usr/local/opt/llvm*/lib /opt/homebrew/opt/llvm*/lib /Library/Developer/CommandLineTools/usr/lib
    /Applications/Xcode*.app/Contents/Developer/Toolchains/XcodeDefault.xctoolchain/usr/lib
  ].freeze
  LIBCLANG_FILES = "libclang{,-*}.{so,so.*,dylib}"

  def initialize(env = ENV)
    @env = env
  end

  # Raises Missing, naming everything that is absent, when the library cannot be built here.
  def check!
    missing = [cargo_problem, compiler_problem, libclang_problem, headers_problem].compact
    return if missing.empty?

    raise Missing, "hyperion-rs cannot be built here, it needs #{missing.join('; ')}"
  end

  # The command as words, to be run with #build_env.
  def cargo_command(target_dir:, locked: false, rustc_args: [])
    rustc_args += %w[-C link-arg=-Wl,-undefined,dynamic_lookup] if host_os.include?("darwin")
    [
      cargo, "rustc", "--lib", *("--locked" if locked), "--profile", "release",
      "--manifest-path", File.join(ROOT, "ext/hyperion_rs/Cargo.toml"), "--target-dir", target_dir,
      *(["--", *rustc_args] unless rustc_args.empty?)
    ]
  end

  # rb-sys reads the Ruby to build for from RUBY.
  def build_env
    env = { "RUBY" => RbConfig.ruby, "SOURCE_DATE_EPOCH" => @env.fetch("SOURCE_DATE_EPOCH", SOURCE_DATE_EPOCH) }
    # A shared library, and a build script that loads libclang, need the dynamic C library.
    env["RUSTFLAGS"] = "#{@env['RUSTFLAGS']} -C target-feature=-crt-static".strip if host_os.include?("musl")
    env
  end

  # Where cargo leaves the library.
  def built_library(target_dir)
    File.join(target_dir, "release", host_os.include?("darwin") ? "libhyperion_rs.dylib" : "libhyperion_rs.so")
  end

  # The file name under which Ruby requires it.
  def self.library_name
    "hyperion_rs.#{RbConfig::CONFIG['DLEXT']}"
  end

  def libclang?
    libclang_directories.any? { |directory| Dir.glob(File.join(directory, LIBCLANG_FILES)).any? }
  end

  def headers?
    [%w[rubyhdrdir ruby.h], %w[rubyarchhdrdir ruby/config.h]].all? do |directory, file|
      File.file?(File.join(RbConfig::CONFIG[directory].to_s, file))
    end
  end

  private

  def host_os
    RbConfig::CONFIG["host_os"]
  end

  # rustup's directory counts too: `sudo gem install` and service managers run without it in PATH.
  def cargo
    @cargo ||= find_executable("cargo") || rustup_cargo
  end

  def rustup_cargo
    home = @env["CARGO_HOME"] || (@env["HOME"] && File.join(@env["HOME"], ".cargo"))
    path = home && File.join(home, "bin", "cargo")
    path if path && File.executable?(path)
  end

  def cargo_problem
    advice = "cargo #{MINIMUM_CARGO} or newer (install Rust from https://rustup.rs)"
    return advice unless cargo

    output = IO.popen([cargo, "--version", { err: %i[child out] }], &:read).strip
    version = output[/\Acargo (\d+(?:\.\d+)+)/, 1]
    return "#{advice}: #{cargo} answers #{output.lines.last.to_s.strip.inspect}" unless version

    "#{advice}: #{cargo} is #{version}" if Gem::Version.new(version) < MINIMUM_CARGO
  end

  def compiler_problem
    return if find_executable("cc")

    "a C compiler (Debian, Ubuntu: apt install build-essential; macOS: xcode-select --install)"
  end

  def libclang_problem
    return if libclang?

    "libclang (Debian, Ubuntu: apt install libclang-dev; Fedora: dnf install clang-devel; " \
      "Alpine: apk add clang-dev; macOS: xcode-select --install)"
  end

  def libclang_directories
    explicit = @env["LIBCLANG_PATH"]
    return [File.file?(explicit) ? File.dirname(explicit) : explicit] if explicit

    path = @env.fetch("LD_LIBRARY_PATH", "").split(File::PATH_SEPARATOR)
    llvm_config = find_executable(@env["LLVM_CONFIG_PATH"] || "llvm-config")
    path << IO.popen([llvm_config, "--libdir"], &:read).strip if llvm_config
    path + LIBCLANG_DIRECTORIES
  end

  def headers_problem
    return if headers?

    "the headers of Ruby #{RUBY_VERSION} (Debian, Ubuntu: apt install ruby-dev; Fedora: dnf install ruby-devel)"
  end

  def find_executable(name)
    return (name if File.executable?(name)) if name.include?(File::SEPARATOR)

    @env.fetch("PATH", "").split(File::PATH_SEPARATOR)
        .map { |directory| File.join(directory, name) }
        .find { |path| File.file?(path) && File.executable?(path) }
  end
end
