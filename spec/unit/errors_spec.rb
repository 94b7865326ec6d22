# frozen_string_literal: true

RSpec.describe HyperionRs::Error do
  [HyperionRs::ConfigurationError, HyperionRs::BindError, HyperionRs::NativeLibraryError, HyperionRs::AppLoadError,
   HyperionRs::ClientDisconnected, HyperionRs::BodyTooLarge, HyperionRs::BodyTimeout].each do |error|
    it "tags #{error}" do
      expect { raise error, "why" }.to raise_error(described_class, "why")
    end
  end

  it "lets an app rescue what happens on the wire as it rescues a dead socket" do
    errors = [HyperionRs::ClientDisconnected, HyperionRs::BodyTooLarge, HyperionRs::BodyTimeout]
    expect(errors.map(&:superclass)).to all(be(IOError))
  end
end
