# frozen_string_literal: true

require "open3"
require "rbconfig"
require_relative "../ext/hyperion_rs/toolchain"

RSpec.describe "The gem" do
  root = File.expand_path("..", __dir__)
  specification = Gem::Specification.load(File.join(root, "hyperion-rs.gemspec"))

  it "holds what `cargo --locked` needs" do
    sources = Dir.chdir(root) { Dir["ext/*/src/**/*.rs"] }

    expect(sources).not_to be_empty
    expect(specification.files).to include(
      "Cargo.toml", "Cargo.lock", "ext/hyperion_core/Cargo.toml", "ext/hyperion_rs/Cargo.toml",
      "ext/hyperion_rs/extconf.rb", "ext/hyperion_rs/toolchain.rb", *sources
    )
  end

  it "holds the Ruby library, the command, the signatures and the documents" do
    library = Dir.chdir(root) { Dir["lib/**/*.rb", "sig/**/*.rbs"] }

    expect(specification.files).to include("exe/hyperion-rs", "README.md", "CHANGELOG.md", "LICENSE", *library)
    expect(specification.files.reject { |file| File.file?(File.join(root, file)) }).to be_empty
    expect(specification.executables).to eq(["hyperion-rs"])
  end

  it "holds no build product and no test" do
    expect(specification.files.grep(%r{\.(so|bundle|dylib|gem)\z|\A(target|tmp|pkg|spec)/})).to be_empty
  end

  it "needs Rack 2.2 or 3 and Ruby 3.1, and nothing else at run time" do
    dependencies = specification.runtime_dependencies

    expect(dependencies.map(&:name)).to eq(["rack"])
    expect(%w[2.2.0 3.0.0 3.2.6].map { |version| dependencies[0].match?("rack", version) }).to all be(true)
    expect(%w[2.1.4 4.0.0].map { |version| dependencies[0].match?("rack", version) }).to all be(false)
    expect(specification.required_ruby_version).to be_satisfied_by(Gem::Version.new("3.1.0"))
    expect(specification.required_ruby_version).not_to be_satisfied_by(Gem::Version.new("3.0.7"))
  end

  it "has one version in Ruby and in Rust" do
    workspace = File.read(File.join(root, "Cargo.toml"))

    expect(workspace[/^\[workspace\.package\]\nversion = "(.+)"$/, 1]).to eq(specification.version.to_s)
  end

  describe "extconf.rb" do
    extconf = File.join(root, "ext/hyperion_rs/extconf.rb")
    no_cache = { "CARGO_TARGET_DIR" => nil }

    def configure(script, env)
      Open3.capture2e(env, RbConfig.ruby, script, chdir: temporary_directory)
    end

    def makefile
      path = File.join(temporary_directory, "Makefile")
      File.read(path) if File.file?(path)
    end

    # A PATH in which cargo tells this version and otherwise runs this script.
    def path_with_cargo(version, script = "exit 1")
      cargo = write_file("bin/cargo", <<~SH)
        #!/bin/sh
        [ "$1" = --version ] && echo "cargo #{version} (0000000 2026-01-01)" && exit
        #{script}
      SH
      File.chmod(0o755, cargo)
      { "PATH" => "#{File.dirname(cargo)}:#{ENV.fetch('PATH')}" }
    end

    def make_install
      Open3.capture2e("make", "install", "DESTDIR=#{temporary_directory}", "sitearchdir=/site",
                      chdir: temporary_directory)
    end

    def installed
      Dir.children(File.join(temporary_directory, "site/hyperion_rs"))
    rescue Errno::ENOENT
      []
    end

    it "says in one line all that is missing, and writes no Makefile" do
      empty = temporary_directory
      output, status = configure(extconf, "PATH" => empty, "HOME" => empty, "CARGO_HOME" => nil,
                                          "LIBCLANG_PATH" => empty)

      expect(status).not_to be_success
      expect(output.lines.size).to eq(1)
      expect(output).to match(/needs cargo 1\.85 .*; a C compiler .*; libclang /)
      expect(makefile).to be_nil
    end

    it "refuses a cargo that is too old, naming it and its version" do
      output, status = configure(extconf, path_with_cargo("1.84.1"))

      expect(status).not_to be_success
      expect(output).to include("#{temporary_directory}/bin/cargo is 1.84.1")
    end

    it "installs the library and removes its target directory" do
      library = "target/release/libhyperion_rs.#{RUBY_PLATFORM.include?('darwin') ? 'dylib' : 'so'}"
      cargo = path_with_cargo("1.85.0", "mkdir -p target/release; echo built > #{library}")
      configure(extconf, { **no_cache, **cargo })
      output, status = make_install

      expect(status).to be_success, output
      expect(installed).to eq([Toolchain.library_name])
      expect(Dir.exist?(File.join(temporary_directory, "target"))).to be(false)
    end

    it "fails the installation when the build fails" do
      configure(extconf, { **no_cache, **path_with_cargo("1.85.0", "echo broken; exit 101") })
      output, status = make_install

      expect(status).not_to be_success
      expect(output).to include("broken")
      expect(installed).to be_empty
    end

    it "leaves a target directory alone that the caller named" do
      configure(extconf, { **path_with_cargo("1.85.0"), "CARGO_TARGET_DIR" => "/var/cache/build" })

      expect(makefile).to include("--target-dir /var/cache/build").and(include("cp /var/cache/build/release/"))
      expect(makefile).not_to include("rm -rf")
    end
  end
end
