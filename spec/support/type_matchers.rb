# frozen_string_literal: true

require "hyperion_rs/configuration"

RSpec::Matchers.define :parse do |raw|
  chain(:as) { |value| @value = value }
  match { |type| type.parse(raw).eql?(@value) }
  failure_message { |type| "#{raw.inspect}: expected #{@value.inspect}, got #{type.parse(raw).inspect}" }
end

RSpec::Matchers.define :refuse do |raw|
  match do |type|
    type.parse(raw)
    false
  rescue HyperionRs::Configuration::Types::Invalid
    true
  end
  failure_message { |type| "expected #{raw.inspect} to be refused, got #{type.parse(raw).inspect}" }
end
