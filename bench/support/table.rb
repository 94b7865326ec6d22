# frozen_string_literal: true

module Bench
  # A Markdown table that people can read as it is.
  class Table
    # The first `words` columns hold words, the others numbers.
    def initialize(headings, rows, words:)
      @lines = [headings, *rows.map { |row| row.map { |cell| text(cell) } }]
      @words = words
      @widths = @lines.transpose.map { |column| column.map(&:size).max }
    end

    def to_s
      rule = @widths.each_with_index.map { |width, column| word?(column) ? "-" * width : "#{'-' * (width - 1)}:" }
      @lines.dup.insert(1, rule).map { |line| "| #{justify(line).join(' | ')} |" }.join("\n")
    end

    private

    def text(cell)
      case cell
      when nil then "–"
      when Integer then cell.to_s.gsub(/\d(?=(\d{3})+\z)/, '\0 ')
      else cell.to_s
      end
    end

    def word?(column) = column < @words

    def justify(line)
      line.each_with_index.map do |cell, column|
        word?(column) ? cell.ljust(@widths[column]) : cell.rjust(@widths[column])
      end
    end
  end
end
