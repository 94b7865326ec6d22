# frozen_string_literal: true

require "hyperion_rs/restart_file"

RSpec.describe HyperionRs::RestartFile do
  let(:path) { File.join(temporary_directory, "restart.txt") }
  let(:touched) { Latch.new }

  def watch(callback = touched.method(:open), &)
    described_class.watch(callback, path:, interval: 0.01, &)
  end

  it "notices that the file appears" do
    watch do
      write_file("restart.txt", "")
      touched.wait
    end
  end

  it "notices that the file is touched" do
    write_file("restart.txt", "")
    watch do
      File.utime(0, 0, path)
      touched.wait
    end
  end

  it "is not stirred by a file that stays or goes" do
    write_file("restart.txt", "")
    looks = Queue.new
    allow(File).to receive(:stat).and_wrap_original do |stat, *arguments|
      looks.push(true)
      stat.call(*arguments)
    end
    watch(-> { raise "stirred" }) do
      looks.pop until looks.empty?
      3.times { looks.pop }
      FileUtils.rm(path)
      3.times { looks.pop }
    end
  end

  it "ends with the block" do
    before = Thread.list
    added = nil
    watch { added = Thread.list - before }
    expect(added.size).to eq(1)
    expect(added).to all(have_attributes(alive?: false))
  end
end
