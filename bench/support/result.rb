# frozen_string_literal: true

module Bench
  # What a client tells of one load: requests a second, requests answered and failed, and the time of a request in µs:
  # mean, median and 99th percentile. What the client does not tell is nil.
  Result = Struct.new(:rate, :done, :failed, :mean, :p50, :p99, keyword_init: true)
end
