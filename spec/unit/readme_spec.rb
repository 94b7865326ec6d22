# frozen_string_literal: true

require_relative "../../rakelib/readme"

RSpec.describe Readme do
  it "finds the table of options in README.md up to date (else: rake docs:options)" do
    expect(File.read(described_class::PATH, encoding: "UTF-8")).to eq(described_class.current)
  end

  it "publishes the figures of a benchmark between its markers and in docs" do
    readme = write_file("README.md", <<~TEXT)
      before
      <!-- benchmarks: written by `rake docs:bench` -->
      old
      <!-- end of benchmarks -->
      after
    TEXT
    write_file("summary.md", "a summary\n")
    write_file("table.md", "all tables\n")
    write_file("plot.svg", "<svg/>")
    docs = File.join(temporary_directory, "docs")
    described_class.publish_benchmarks(from: temporary_directory, docs:, readme:)

    expect(File.read(readme)).to match(/\Abefore\n<!-- .* -->\n!\[.*\n\na summary\n<!-- .* -->\nafter\n\z/)
    expect(File.read(File.join(docs, "benchmarks.md"))).to end_with("all tables\n")
    expect(File.read(File.join(docs, "benchmarks.svg"))).to eq("<svg/>")
  end

  it "says so when the markers are missing" do
    from = temporary_directory
    %w[summary.md table.md plot.svg README.md].each { |name| File.write(File.join(from, name), "text\n") }

    expect { described_class.publish_benchmarks(from:, docs: from, readme: File.join(from, "README.md")) }
      .to raise_error(/no markers for benchmarks/)
  end
end
