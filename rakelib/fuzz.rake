# frozen_string_literal: true

require "rbconfig"

# libFuzzer's instrumentation by flags of the stable compiler. With --target, build scripts are spared it.
module Fuzz
  DIR = File.expand_path("../ext/hyperion_core/fuzz", __dir__)
  TARGET_DIR = File.expand_path("../target/fuzz", __dir__)
  FLAGS = %w[
    --cfg fuzzing
    -Cpasses=sancov-module
    -Cllvm-args=-sanitizer-coverage-level=4
    -Cllvm-args=-sanitizer-coverage-inline-8bit-counters
    -Cllvm-args=-sanitizer-coverage-pc-table
    -Cllvm-args=-sanitizer-coverage-trace-compares
    -Ccodegen-units=1
  ].freeze
  # An input that takes longer than this has made something hang.
  INPUT_SECONDS = 10
  MEMORY_MIB = 1024

  module_function

  def host
    `rustc -vV`[/^host: (.+)$/, 1] or abort "fuzz: rustc is missing"
  end

  def build_env
    { "RUSTFLAGS" => FLAGS.join(" ") }
  end

  def build_command
    ["cargo", "build", "--release", "--locked", "--target", host, "--target-dir", TARGET_DIR,
     "--manifest-path", File.join(DIR, "Cargo.toml")]
  end

  # New inputs are kept in target/, next to what they crashed with; the seeds stay as they are.
  def run_command(seconds)
    corpus = File.join(TARGET_DIR, "corpus")
    [File.join(TARGET_DIR, host, "release", "connection"), corpus, File.join(DIR, "seeds"),
     "-max_total_time=#{seconds}", "-timeout=#{INPUT_SECONDS}", "-rss_limit_mb=#{MEMORY_MIB}",
     "-artifact_prefix=#{TARGET_DIR}/", "-print_final_stats=1"]
  end
end

desc "Fuzz whole connections for a minute, or as many seconds as given"
task :fuzz, [:seconds] do |_task, args|
  seconds = Integer(args.fetch(:seconds, 60))
  sh Fuzz.build_env, *Fuzz.build_command
  mkdir_p File.join(Fuzz::TARGET_DIR, "corpus"), verbose: false
  sh(*Fuzz.run_command(seconds))
end
