# frozen_string_literal: true

module Bench
  # What several runs are told by.
  module Statistics
    module_function

    # The middle value, or the mean of the two in the middle.
    def median(values)
      sorted = values.sort
      (sorted[(sorted.size - 1) / 2] + sorted[sorted.size / 2]) / 2.0
    end

    # The range of the values in per cent of their median.
    def spread(values)
      middle = median(values)
      middle.zero? ? 0.0 : 100.0 * (values.max - values.min) / middle
    end

    # The median of those that are known, rounded; nil when none is.
    def middle(values, digits = 1)
      known = values.compact
      median(known).round(digits) if known.any?
    end
  end
end
