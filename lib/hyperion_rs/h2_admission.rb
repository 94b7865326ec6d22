# frozen_string_literal: true

require_relative "native"

module HyperionRs
  # A cap on the requests in flight of a process, without a lock. Handlers that are given the same one share it.
  #
  #     HyperionRs::Http2Handler.new(app: app, h2_admission: HyperionRs::H2Admission.new(512))
  class H2Admission
    # The Rust side, which connections ask without Ruby.
    attr_reader :native

    # `max` is a positive Integer, or nil for no cap; `max_total_streams` is another name for it.
    def initialize(max = nil, max_total_streams: max)
      unless max_total_streams.nil? || (max_total_streams.is_a?(Integer) && max_total_streams.positive?)
        raise ArgumentError, "max must be a positive Integer: #{max_total_streams.inspect}"
      end

      Native.load!
      @native = Native::Admission.new(max_total_streams)
    end

    # Takes a slot; false, and counted as rejected, when all are taken.
    def admit
      @native.admit
    end

    # Gives a slot back. With none taken it does nothing.
    def release
      @native.release
    end

    # Whether connections may ask the Rust side: not where a subclass or the object itself has methods of its own.
    def plain?
      %i[admit release].all? { |name| method(name).owner.equal?(H2Admission) }
    end

    # `{ in_flight:, rejected:, max: }`
    def stats
      @native.stats
    end
  end
end
