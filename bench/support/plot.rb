# frozen_string_literal: true

require "cgi"

module Bench
  # Bars of requests a second: one panel for each app, one bar for each server, under one load. Colours that stand on a
  # light ground and on a dark one.
  class Plot
    LOAD = "-c1 -m100"
    APPS = %w[hello headers rails].freeze
    OURS = "hyperion-rs"
    WIDTH = 720
    # Pixels: of the names before the bars, of the numbers behind them, of a bar and the gap below, of a title.
    NAMES = 110
    NUMBERS = 90
    BAR = 18
    GAP = 6
    TITLE = 34
    STYLE = <<~CSS
      text { font: 13px system-ui, sans-serif; fill: #6e7781 }
      .title { font-weight: 600 }
      .ours { fill: #d1242f }
      .other { fill: #8c959f }
    CSS

    def initialize(rows)
      @panels = APPS.to_h { |app| [app, rows.select { |row| row[:app] == app && row[:load] == LOAD }] }
                    .reject { |_, panel| panel.empty? }
    end

    def to_svg
      top = 0
      panels = @panels.map do |app, rows|
        drawn = panel(app, rows, top)
        top += TITLE + (rows.size * (BAR + GAP))
        drawn
      end
      <<~SVG
        <svg xmlns="http://www.w3.org/2000/svg" width="#{WIDTH}" height="#{top + GAP}" viewBox="0 0 #{WIDTH} #{top + GAP}">
        <style>
        #{STYLE.chomp}
        </style>
        #{panels.join("\n")}
        </svg>
      SVG
    end

    private

    def panel(app, rows, top)
      longest = rows.map { |row| row[:rate] }.max
      title = text(0, top + 20, "#{app}: requests a second, h2load #{LOAD}", "title")
      bars = rows.sort_by { |row| -row[:rate] }.each_with_index.map do |row, index|
        bar(row, top + TITLE + (index * (BAR + GAP)), longest)
      end
      [title, *bars].join("\n")
    end

    def bar(row, top, longest)
      length = (row[:rate] * (WIDTH - NAMES - NUMBERS)).fdiv(longest).round(1)
      kind = row[:server] == OURS ? "ours" : "other"
      [text(0, top + 14, row[:server]),
       %(<rect class="#{kind}" x="#{NAMES}" y="#{top}" width="#{length}" height="#{BAR}" rx="2"/>),
       text(NAMES + length + 6, top + 14, row[:rate].to_s.gsub(/\d(?=(\d{3})+\z)/, '\0 '))].join
    end

    def text(left, baseline, content, kind = nil)
      %(<text x="#{left}" y="#{baseline}"#{%( class="#{kind}") if kind}>#{CGI.escapeHTML(content)}</text>)
    end
  end
end
