# frozen_string_literal: true

require "forwardable"
require_relative "native"

module HyperionRs
  # What servers count: connections, requests, responses, errors, and how long requests took and waited. The Rust side
  # counts, without the GVL.
  #
  #     metrics = HyperionRs::Metrics.new
  #     HyperionRs::Server.new(app, metrics: metrics)
  #     metrics.snapshot      # => { connections_accepted: 1, responses_status_total: { 200 => 3 }, ... }
  #     metrics.to_prometheus # => "# HELP hyperion_connections_accepted ..."
  #
  # Any number of servers can share one. An app may count there as well: a name that is not known yet is a new number.
  # A child process counts from zero.
  #
  # increment(name, by = 1)::  adds to a number
  # decrement(name, by = 1)::  takes from it
  # increment_status(status):: counts a response
  # tick_worker_request(id)::  counts a request that a worker has dispatched
  # snapshot::                 all values by name; histograms have :count, :sum (in seconds) and :buckets
  # to_prometheus::            all values in the text format that Prometheus reads
  class Metrics
    extend Forwardable

    # The counters.
    attr_reader :native

    def_delegators :@native, :increment, :decrement, :increment_status, :tick_worker_request, :snapshot, :to_prometheus

    def initialize
      Native.load!
      @native = Native::Metrics.new
    end
  end
end
