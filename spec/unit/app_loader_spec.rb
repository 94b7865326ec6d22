# frozen_string_literal: true

require "hyperion_rs/app_loader"

RSpec.describe HyperionRs::AppLoader do
  def load_app(text, name = "config.ru")
    described_class.load(write_file(name, text))
  end

  def path(name = "config.ru")
    File.join(temporary_directory, name)
  end

  it "loads the app of a config.ru" do
    expect(load_app("run ->(env) { [204, {}, []] }").call({})).to eq([204, {}, []])
  end

  it "names a file that is missing" do
    expect { described_class.load(path("no.ru")) }
      .to raise_error(HyperionRs::AppLoadError, "no such file: #{path('no.ru')}")
  end

  it "names the line of an exception and its class" do
    expect { load_app("\n\nraise ArgumentError, 'bad'") }
      .to raise_error(HyperionRs::AppLoadError, "cannot load #{path}: #{path}:3: bad (ArgumentError)")
  end

  it "names the line of a file that the config.ru loads" do
    write_file("app.rb", "\nInteger('x')")
    expect { load_app("require_relative 'app'") }
      .to raise_error(HyperionRs::AppLoadError,
                      %(cannot load #{path}: #{path('app.rb')}:2: invalid value for Integer(): "x" (ArgumentError)))
  end

  it "names the line that requires a library which is missing" do
    expect { load_app("\nrequire 'no/such/library'") }
      .to raise_error(HyperionRs::AppLoadError,
                      "cannot load #{path}: #{path}:2: cannot load such file -- no/such/library (LoadError)")
  end

  it "names the line of a syntax error" do
    expect do
      load_app("run (\n1 +")
    end.to raise_error(HyperionRs::AppLoadError, /\Acannot load #{path}: #{path}:\d+: .*syntax/)
  end

  it "says it in one line" do
    expect { load_app("raise \"one\ntwo\"") }
      .to raise_error(HyperionRs::AppLoadError, "cannot load #{path}: #{path}:1: one (RuntimeError)")
  end

  it "keeps the cause" do
    expect { load_app("exit_now") }.to raise_error(HyperionRs::AppLoadError) { |e| expect(e.cause).to be_a(NameError) }
  end

  it "survives an app that recurses without end" do
    expect { load_app("def again = again\nagain") }.to raise_error(HyperionRs::AppLoadError, /SystemStackError/)
  end

  it "lets an app end the process" do
    expect { load_app("exit 3") }.to raise_error(SystemExit)
  end
end
