# frozen_string_literal: true

RSpec.describe HyperionRs::Configuration::Defaults do
  def defaults(env = {}, environment = "development")
    described_class.new(env, environment)
  end

  it "listens on localhost in development only" do
    expect(defaults.host).to eq("localhost")
    expect(defaults({}, "production").host).to eq("0.0.0.0")
  end

  it "keeps the development certificate in the user's data directory" do
    expect(defaults({ "XDG_DATA_HOME" => "/data", "HOME" => "/h" }).tls_dev_dir).to eq("/data/hyperion-rs")
    expect(defaults({ "XDG_DATA_HOME" => "", "HOME" => "/h" }).tls_dev_dir).to eq("/h/.local/share/hyperion-rs")
    expect(defaults.tls_dev_dir).to eq(File.join(Etc.getpwuid.dir, ".local/share/hyperion-rs"))
  end

  it "spills where temporary files go" do
    expect(defaults({ "TMPDIR" => "/var/spill" }).spill_dir).to eq("/var/spill")
    expect(defaults.spill_dir).to eq(Etc.systmpdir)
  end

  it "takes a few I/O threads and no more than there are CPUs" do
    expect(defaults.io_threads).to eq([[Etc.nprocessors / 2, 1].max, 4].min)
  end
end
