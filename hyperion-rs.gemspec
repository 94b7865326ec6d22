# frozen_string_literal: true

require_relative "lib/hyperion_rs/version"

Gem::Specification.new do |spec|
  spec.name = "hyperion-rs"
  spec.version = HyperionRs::VERSION
  spec.authors = ["hyperion-rs contributors"]
  spec.summary = "HTTP/2 and TLS server for Rack apps with a Rust core"
  spec.description = "Serves Rack apps over HTTP/2 and TLS. Sockets, TLS, HPACK, flow control and buffering run in " \
                     "Rust threads; Ruby is entered only for each request and response."
  spec.homepage = "https://github.com/hyperion-rs/hyperion-rs"
  spec.license = "MIT"
  spec.required_ruby_version = ">= 3.1"
  spec.metadata = {
    "source_code_uri" => spec.homepage,
    "changelog_uri" => "#{spec.homepage}/blob/main/CHANGELOG.md",
    "rubygems_mfa_required" => "true"
  }

  # The library is built with `--locked` from the workspace: its manifest and lock file belong to the gem.
  spec.files = Dir.chdir(__dir__) do
    Dir["Cargo.{toml,lock}", "ext/*/*.{rb,rs,toml}", "ext/*/{src,tests,benches,examples}/**/*.rs",
        "lib/**/*.rb", "exe/*", "sig/**/*.rbs", "examples/*.*", "docs/**/*.md",
        "README.md", "CHANGELOG.md", "LICENSE"]
  end
  spec.bindir = "exe"
  spec.executables = ["hyperion-rs"]
  spec.extensions = ["ext/hyperion_rs/extconf.rb"]
  spec.extra_rdoc_files = ["README.md", "CHANGELOG.md", "LICENSE"]

  spec.add_dependency "rack", ">= 2.2", "< 4"
end
