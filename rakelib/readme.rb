# frozen_string_literal: true

require "fileutils"
require_relative "../lib/hyperion_rs/configuration"

# The parts of README.md that are not written by hand, each between two markers: the table of options is made from the
# code, the benchmarks are those of the last bench/run.
module Readme
  ROOT = File.expand_path("..", __dir__)
  PATH = File.join(ROOT, "README.md")
  OPTIONS = /(?<=<!-- options: written by `rake docs:options` -->\n).*(?=^<!-- end of options -->)/m
  BENCHMARKS = /(?<=<!-- benchmarks: written by `rake docs:bench` -->\n).*(?=^<!-- end of benchmarks -->)/m
  # Where bench/run leaves its figures.
  MEASURED = File.join(ROOT, "tmp/bench")

  # What the file ought to say.
  def self.current
    replace(OPTIONS, HyperionRs::Configuration::OPTIONS.to_markdown)
  end

  def self.update
    File.write(PATH, current)
  end

  # The summary goes into README.md, the rest beside it into docs/.
  def self.publish_benchmarks(from: MEASURED, docs: File.join(ROOT, "docs"), readme: PATH)
    summary, tables = %w[summary.md table.md].map { |name| File.read(File.join(from, name), encoding: "UTF-8") }
    text = replace(BENCHMARKS, "![Requests a second, by server](docs/benchmarks.svg)\n\n#{summary}", readme)
    FileUtils.mkdir_p(docs)
    FileUtils.cp(File.join(from, "plot.svg"), File.join(docs, "benchmarks.svg"))
    File.write(File.join(docs, "benchmarks.md"),
               "# Benchmarks\n\nPrinted by `bench/run`; [bench/](../bench/README.md) says what it means, and " \
               "[profile.md](profile.md) where the time goes.\n\n#{tables}")
    File.write(readme, text)
  end

  def self.replace(part, content, path = PATH)
    text = File.read(path, encoding: "UTF-8")
    raise "#{path} has no markers for #{part.source[/<!-- (\w+)/, 1]}" unless text.match?(part)

    text.sub(part) { "#{content.chomp}\n" }
  end
  private_class_method :replace
end
