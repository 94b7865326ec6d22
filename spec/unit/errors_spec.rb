# frozen_string_literal: true

RSpec.describe HyperionRs::Error do
  [HyperionRs::ConfigurationError, HyperionRs::BindError, HyperionRs::NativeLibraryError, HyperionRs::AppLoadError,
   HyperionRs::ClientDisconnected].each do |error|
    it "tags #{error}" do
      expect { raise error, "why" }.to raise_error(described_class, "why")
    end
  end

  it "lets an app rescue a vanished client as it rescues a dead socket" do
    expect(HyperionRs::ClientDisconnected.new).to be_a(IOError)
  end
end
