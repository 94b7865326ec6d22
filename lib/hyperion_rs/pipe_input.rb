# frozen_string_literal: true

require_relative "streaming_input"

module HyperionRs
  # The StreamingInput of Rack 2, which rewinds every input, also where nothing is read afterwards. So it is only the
  # second reading that fails.
  class PipeInput < StreamingInput
    def initialize(reader)
      super
      @begun = false
      @rewound = false
    end

    # Goes back to the beginning, of which nothing is left once it was read.
    def rewind
      @rewound = @begun
      0
    end

    private

    def fill
      raise IOError, "only a buffered request body can be read again (option request_buffering)" if @rewound

      @begun = true
      super
    end
  end
end
