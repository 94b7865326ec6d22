# frozen_string_literal: true

require "fileutils"
require "open3"
require "rbconfig"
require "shellwords"
require "timeout"
require "tmpdir"
require_relative "../ext/hyperion_rs/toolchain"

# Builds the gem, installs it into an empty gem home and uses it from there, with nothing of the checkout in reach.
class PackageTrial
  class Failed < StandardError; end

  # Seconds for rackup to load the app and listen, and to leave after TERM.
  START_DEADLINE = 60
  STOP_DEADLINE = 60
  ANSWER = "packaged"
  APP = <<~RUBY.freeze
    run ->(env) { [200, { "content-type" => "text/plain" }, ["#{ANSWER} \#{env['SERVER_PROTOCOL']}"]] }
  RUBY
  # curl's words for what it received.
  RECEIVED = "%{http_version} %{response_code}" # rubocop:disable Style/FormatStringToken

  # What is taken away, how, and what the one line must then name.
  LACKS = {
    "cargo" => [:without_cargo, /needs cargo 1\.85 or newer .*rustup/],
    "libclang" => [:without_libclang, /needs libclang .*libclang-dev/],
    "Ruby's headers" => [:without_headers, /needs the headers of Ruby .*ruby-dev/]
  }.freeze

  def self.run(...)
    Dir.mktmpdir("hyperion-rs-package") { |directory| new(directory, ...).run }
  end

  # The target directory is a cache: it spares a second build of all dependencies.
  def initialize(directory, target_dir:)
    @directory = directory
    @target_dir = target_dir
    @gem = File.join(directory, "hyperion-rs.gem")
  end

  def run
    step("gem build") { build }
    LACKS.each { |lack, (change, line)| step("install without #{lack} fails") { refuse(send(change), line) } }
    step("install into an empty gem home") { install }
    step("rackup -s hyperion_rs answers over HTTP/2") { serve }
  end

  private

  def step(name)
    started = Process.clock_gettime(Process::CLOCK_MONOTONIC)
    yield
    seconds = Process.clock_gettime(Process::CLOCK_MONOTONIC) - started
    puts "package:test: #{name}: ok (#{seconds.round(1)} s)"
  end

  def build
    command = ruby("gem", "build", "hyperion-rs.gemspec", "--output", @gem)
    output, status = capture({}, command, Toolchain::ROOT)
    raise Failed, "gem build failed:\n#{output}" unless status.success? && File.file?(@gem)
  end

  def install
    output, status = gem_install(gem_home, {})
    raise Failed, "gem install failed:\n#{output}" unless status.success?

    library = File.join(gem_home, "gems/*/lib/hyperion_rs", Toolchain.library_name)
    raise Failed, "no file #{library} after:\n#{output}" unless Dir.glob(library).one?
  end

  def refuse(change, line)
    home = File.join(@directory, "refused")
    output, status = gem_install(home, change)
    raise Failed, "gem install succeeded:\n#{output}" if status.success?

    lines = output.lines.grep(line)
    raise Failed, "expected one line like #{line.inspect} in:\n#{output}" unless lines.one?
    raise Failed, "the gem counts as installed" if Dir.glob(File.join(home, "specifications/*")).any?

    puts "  #{lines.first}"
  ensure
    FileUtils.rm_rf(home)
  end

  # Dependencies come from wherever this Ruby has them; no network is needed.
  def gem_install(home, env)
    command = ruby("gem", "install", "--local", "--ignore-dependencies", "--no-document", @gem)
    epoch = ENV.fetch("SOURCE_DATE_EPOCH", Toolchain::SOURCE_DATE_EPOCH)
    build = { "CARGO_TARGET_DIR" => @target_dir, "SOURCE_DATE_EPOCH" => epoch }
    capture({ **outside(home), **build, **env }, command, @directory)
  end

  # Everything speaks UTF-8, whatever the locale.
  def capture(env, command, directory)
    output, status = Open3.capture2e(env, *command, chdir: directory)
    [output.force_encoding(Encoding::UTF_8).scrub, status]
  end

  def serve
    config = File.join(@directory, "config.ru")
    File.write(config, APP)
    command = ruby("rackup", "-s", "hyperion_rs", "-o", "127.0.0.1", "-p", "0", config)
    Open3.popen2e(outside(gem_home), *command, chdir: @directory) do |input, output, process|
      input.close
      output.set_encoding(Encoding::UTF_8)
      request(listening_url(output))
      stop(process, output)
    ensure
      kill(process)
    end
  end

  def listening_url(output)
    seen = +""
    Timeout.timeout(START_DEADLINE) do
      while (line = output.gets)
        seen << line
        url = line[%r{http://127\.0\.0\.1:[1-9]\d*}]
        return url if url
      end
    end
    raise Failed, "rackup ended:\n#{seen}"
  rescue Timeout::Error
    raise Failed, "rackup told no URL within #{START_DEADLINE} s:\n#{seen}"
  end

  def request(url)
    answer, = capture({}, ["curl", "--noproxy", "*", "-sS", "--http2-prior-knowledge", "--max-time", "60",
                           "--write-out", " #{RECEIVED}", url], @directory)
    expected = "#{ANSWER} HTTP/2 2 200"
    raise Failed, "expected #{expected.inspect} from #{url}, got #{answer.inspect}" unless answer == expected
  end

  def stop(process, output)
    Process.kill(:TERM, process.pid)
    raise Failed, "rackup runs on #{STOP_DEADLINE} s after TERM" unless process.join(STOP_DEADLINE)
    raise Failed, "rackup ended with #{process.value}:\n#{output.read}" unless process.value.success?
  end

  def kill(process)
    Process.kill(:KILL, process.pid) if process.alive?
  rescue Errno::ESRCH
    # It ended by itself in between.
    nil
  end

  def gem_home
    File.join(@directory, "gems")
  end

  # The environment of a user who has only the gem.
  def outside(home)
    { "GEM_HOME" => home, "GEM_PATH" => nil, "RUBYLIB" => nil, "RUBYOPT" => nil, "BUNDLE_GEMFILE" => nil }
  end

  def ruby(script, *arguments)
    [RbConfig.ruby, "-S", script, *arguments]
  end

  # A PATH with everything but Rust, and a home without rustup.
  def without_cargo
    bin = File.join(@directory, "bin-without-cargo")
    FileUtils.mkdir_p(bin)
    executables = ENV.fetch("PATH").split(File::PATH_SEPARATOR).flat_map { |path| Dir.glob(File.join(path, "*")) }
    executables.uniq { |path| File.basename(path) }.each do |path|
      FileUtils.ln_s(path, bin) unless File.basename(path).match?(/\A(cargo|rust)/)
    end
    { "PATH" => bin, "HOME" => @directory, "CARGO_HOME" => nil }
  end

  def without_libclang
    { "LIBCLANG_PATH" => @directory }
  end

  def without_headers
    file = File.join(@directory, "without_headers.rb")
    File.write(file, %(require "rbconfig"\nRbConfig::CONFIG["rubyarchhdrdir"] = "/nonexistent"\n))
    { "RUBYOPT" => "-r#{file.shellescape}" }
  end
end
