# frozen_string_literal: true

require_relative "option"

module HyperionRs
  class Configuration
    # The one table of options. Every limit stands with its default, its unit and its reason.
    class Table
      include Enumerable

      # The options, in the order of the help; the block adds them.
      def initialize
        @options = {}
        @group = nil
        yield self
        @options.freeze
        freeze
      end

      # Begins a group of the help.
      def group(title)
        @group = title
      end

      def option(name, type, help, **attributes)
        @options[name] = Option.new(name, type, help, group: @group, **attributes)
      end

      # The option of that name (a Symbol), or nil.
      def [](name)
        @options[name]
      end

      def names
        @options.keys
      end

      def each(&block)
        @options.each_value(&block)
      end

      # The table of the README.
      def to_markdown
        rows = map do |option|
          cells = ["`#{option.name}`", option.default_text, option.type.allowed, option.help]
          "| #{cells.map { |cell| cell.gsub('|', '\\|') }.join(' | ')} |"
        end
        ["| option | default | allowed | meaning |", "|---|---|---|---|", *rows].join("\n")
      end
    end
  end
end
