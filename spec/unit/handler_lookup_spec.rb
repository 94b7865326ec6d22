# frozen_string_literal: true

require "rack"

# How `rackup -s NAME` finds the handler, in a process that has loaded nothing of hyperion-rs.
RSpec.describe "the lookup of the handler" do
  registry = Rack.release < "3" ? "Rack::Handler" : "Rackup::Handler"

  def ruby(program)
    library = File.expand_path("../../lib", __dir__)
    ChildProcess.run(RbConfig.ruby, "-I", library, "-e", program)
  end

  %w[hyperion_rs hyperion-rs HyperionRs].each do |name|
    it "finds #{registry}::HyperionRs as #{name}" do
      result = ruby(<<~RUBY)
        require "#{registry.start_with?('Rackup') ? 'rackup' : 'rack'}"
        handler = #{registry}.get("#{name}")
        puts handler, handler.superclass, $LOADED_FEATURES.grep(/hyperion_rs\\.(so|bundle)/).size
      RUBY
      expect([result.out, result.err]).to eq(["#{registry}::HyperionRs\nHyperionRs::RackHandler\n0\n", ""])
    end
  end

  it "loads nothing native for `require` of the gem by either name" do
    result = ruby(<<~'RUBY')
      require "hyperion-rs"
      require "hyperion_rs"
      puts $LOADED_FEATURES.grep(/hyperion_rs\.(so|bundle)/)
    RUBY
    expect([result.status.success?, result.out, result.err]).to eq([true, "", ""])
  end

  it "loads without a warning" do
    result = ruby('$VERBOSE = true; require "hyperion_rs"; HyperionRs::CLI; HyperionRs::RackHandler')
    expect(result.err.lines.grep(/hyperion_rs/)).to be_empty
  end
end
