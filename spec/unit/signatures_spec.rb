# frozen_string_literal: true

begin
  require "rbs"
rescue LoadError
  # A bundled gem that some distributions leave out; one Ruby that has it is enough.
  return
end

RSpec.describe "sig/hyperion_rs.rbs" do
  environment = RBS::EnvironmentLoader.new.then do |loader|
    loader.add(path: Pathname(File.expand_path("../../sig", __dir__)))
    RBS::Environment.from_loader(loader).resolve_type_names
  end
  builder = RBS::DefinitionBuilder.new(env: environment)

  names = environment.class_decls.keys.select { |name| name.to_s.start_with?("::HyperionRs::") }

  names.each do |name|
    # The Rust side defines its classes itself.
    next if name.to_s.start_with?("::HyperionRs::Native")

    it "declares only methods that #{name} has" do
      type = Object.const_get(name.to_s)
      own = ->(definition) { definition.methods.select { |_, method| method.defined_in == name }.keys }
      instance = own.call(builder.build_instance(name)) - [:initialize]
      expect(instance.reject { |method| type.method_defined?(method) }).to eq([])
      singleton = own.call(builder.build_singleton(name)) - [:new]
      expect(singleton.reject { |method| type.respond_to?(method) }).to eq([])
    end
  end

  it "declares a reader for every option" do
    configuration = names.find { |name| name.to_s == "::HyperionRs::Configuration" }
    declared = builder.build_instance(configuration).methods.keys
    expect(HyperionRs::Configuration::OPTIONS.names - declared).to eq([])
  end
end
