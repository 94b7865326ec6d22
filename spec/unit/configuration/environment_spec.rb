# frozen_string_literal: true

RSpec.describe HyperionRs::Configuration::Environment do
  def own(env)
    described_class.new(env).own
  end

  def conventional(env)
    described_class.new(env).conventional
  end

  it "reads every option from its variable" do
    values = { "backlog" => "5", "tls" => "dev", "request_buffering" => "off", "max_body_size" => "5MiB" }
    layer = own(values.transform_keys { |name| "HYPERION_RS_#{name.upcase}" }.merge("PATH" => "/bin"))
    expect(values.keys.map { |name| layer[name.to_sym].value }).to eq([5, "dev", false, 5 << 20])
    expect(layer[:backlog].origin).to eq("HYPERION_RS_BACKLOG")
  end

  it "counts a blank variable as not set" do
    expect(own({ "HYPERION_RS_PORT" => "", "HYPERION_RS_NOPE" => " " })[:port]).to be_nil
  end

  it "refuses an unknown variable and names the nearest" do
    expect { own({ "HYPERION_RS_THREAD" => "4" }) }
      .to raise_error(HyperionRs::ConfigurationError,
                      /unknown option HYPERION_RS_THREAD .* did you mean HYPERION_RS_THREADS\?/)
  end

  it "refuses a malformed value and names the variable" do
    expect { own({ "HYPERION_RS_MAX_IN_FLIGHT" => "many" }) }
      .to raise_error(HyperionRs::ConfigurationError, /max_in_flight: "many" \(from HYPERION_RS_MAX_IN_FLIGHT\)/)
  end

  it "reads PORT" do
    expect(conventional({ "PORT" => "5000" })[:port].value).to eq(5000)
    expect { conventional({ "PORT" => "http" }) }
      .to raise_error(HyperionRs::ConfigurationError, /port: "http" \(from PORT\)/)
  end

  it "reads RAILS_MAX_THREADS as the maximum, with a minimum that fits" do
    expect(conventional({ "RAILS_MAX_THREADS" => "32" })[:threads].value).to eq(4..32)
    expect(conventional({ "RAILS_MAX_THREADS" => "3" })[:threads].value).to eq(3..3)
  end

  it "refuses a malformed RAILS_MAX_THREADS by its name" do
    ["many", "0", "-1"].each do |value|
      expect { conventional({ "RAILS_MAX_THREADS" => value }) }
        .to raise_error(HyperionRs::ConfigurationError, /from RAILS_MAX_THREADS/)
    end
  end

  it "reads HYPERION_H2_TIMING as the handler did that it is named after" do
    ["1", "true", "YES", " on "].each do |word|
      expect(conventional({ "HYPERION_H2_TIMING" => word })[:h2_timing].value).to be(true)
    end
    expect(conventional({ "HYPERION_H2_TIMING" => "2" })[:h2_timing].value).to be(false)
    expect(conventional({ "HYPERION_H2_TIMING" => "" })[:h2_timing]).to be_nil
  end

  it "reads the app's environment from RACK_ENV, then RAILS_ENV" do
    expect(conventional({ "RAILS_ENV" => "test" })[:environment].value).to eq("test")
    expect(conventional({ "RAILS_ENV" => "test", "RACK_ENV" => "production" })[:environment].value).to eq("production")
  end
end
