# frozen_string_literal: true

module HyperionRs
  class Http2Handler
    # What is told of the header codec. It is always the native one; HYPERION_H2_NATIVE_HPACK chose among others in the
    # handler that this one replaces.
    class Codec
      # By value of the variable.
      MODES = {
        auto: ["", "1", "true", "yes", "on", "auto"], cglue: %w[cglue v3], v2: %w[v2 fiddle],
        off: %w[0 false no off ruby]
      }.flat_map { |mode, values| values.map { |value| [value, mode] } }.to_h.freeze

      NATIVE = "native (Rust, of the h2 crate)"
      private_constant :MODES, :NATIVE

      @announcement = Mutex.new
      @announced = false

      class << self
        # Runs the block the first time in this process.
        def once
          @announcement.synchronize do
            return if @announced

            @announced = true
          end
          yield
        end
      end

      attr_reader :mode

      def initialize(value, runtime)
        @runtime = runtime
        @mode = MODES.fetch(value.to_s.strip.downcase) do
          runtime.logger.warn { { message: "unknown HYPERION_H2_NATIVE_HPACK; using auto", value: } }
          :auto
        end
      end

      def native?
        @mode != :off
      end

      # Logs and counts the selection, once per process.
      def announce
        Codec.once do
          @runtime.logger.info { { message: "h2 codec selected", **to_h } }
          @runtime.metrics.increment(native? ? :h2_codec_native_selected : :h2_codec_fallback_selected)
        end
      end

      private

      def to_h
        {
          mode: native? ? NATIVE : "#{NATIVE}, although HYPERION_H2_NATIVE_HPACK says off", native_available: true,
          native_enabled: native?, native_mode: @mode.to_s, cglue_active: false,
          hpack_path: "native-h2"
        }
      end
    end
  end
end
