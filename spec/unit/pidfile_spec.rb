# frozen_string_literal: true

RSpec.describe HyperionRs::Pidfile do
  let(:path) { File.join(temporary_directory, "server.pid") }

  def hold
    described_class.hold(path) { File.read(path) }
  end

  # The id of a process that has ended.
  def dead_pid
    pid = Process.spawn("true")
    Process.wait(pid)
    pid
  end

  it "holds the process id while the block runs, and is gone after it" do
    expect(hold).to eq("#{Process.pid}\n")
    expect(File).not_to exist(path)
  end

  it "is gone after an exception too" do
    expect { described_class.hold(path) { raise "no" } }.to raise_error("no")
    expect(File).not_to exist(path)
  end

  it "removes the file of this process only" do
    own = write_file("own.pid", Process.pid.to_s)
    other = write_file("other.pid", Process.ppid.to_s)
    [own, other, path, nil].each { |file| described_class.remove_own(file) }
    expect([own, other].map { |file| File.exist?(file) }).to eq([false, true])
  end

  it "does nothing without a path" do
    expect(described_class.hold(nil) { :ran }).to eq(:ran)
  end

  it "refuses to replace the file of a running process" do
    write_file("server.pid", Process.ppid.to_s)
    expect { hold }
      .to raise_error(HyperionRs::ConfigurationError, "pidfile: #{path} belongs to the running process #{Process.ppid}")
    expect(File.read(path)).to eq(Process.ppid.to_s)
  end

  it "replaces the file of a process that has ended, and one that holds no id" do
    [dead_pid.to_s, "", "garbage"].each do |content|
      write_file("server.pid", content)
      expect(hold).to eq("#{Process.pid}\n")
    end
  end

  it "leaves a file that this process wrote by other means" do
    write_file("server.pid", Process.pid.to_s)
    hold
    expect(File.read(path)).to eq(Process.pid.to_s)
  end

  it "leaves a file that another process took over" do
    described_class.hold(path) { File.write(path, "1") }
    expect(File.read(path)).to eq("1")
  end

  it "names a path that is a directory" do
    Dir.mkdir(path)
    expect { hold }.to raise_error(HyperionRs::ConfigurationError, "pidfile: cannot read #{path}: Is a directory")
  end

  it "names a stale file that cannot be deleted" do
    write_file("server.pid", "")
    allow(File).to receive(:delete).with(path).and_raise(Errno::EACCES, path)
    expect { hold }.to raise_error(HyperionRs::ConfigurationError, "pidfile: cannot delete #{path}: Permission denied")
  end

  it "names a path that cannot be written" do
    expect { described_class.hold("/no/such/dir/x.pid") { :ran } }
      .to raise_error(HyperionRs::ConfigurationError,
                      "pidfile: cannot write /no/such/dir/x.pid: No such file or directory")
  end
end
