# frozen_string_literal: true

module HyperionRs
  # The `rack.input` of a request whose body is in a temporary file. It counts against spill_limit until it is closed.
  class SpilledInput < File
    # `lease` keeps the file on the Rust side; it lives as long as this does.
    def lease=(lease)
      @hyperion_rs_lease = lease
    end

    def close
      super
      @hyperion_rs_lease&.release
      nil
    end
  end
end
