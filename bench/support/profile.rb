# frozen_string_literal: true

require "tmpdir"
require_relative "instructions"
require_relative "table"

module Bench
  # Whose code the instructions of a request in the core are, by callgrind: each line counts for the crate that it was
  # written in, and code of the standard library for the crate of the function that it was compiled into.
  class Profile
    OURS = "hyperion_core"
    PROGRAM = "the client and the app"
    OTHERS = "others"
    # By the file that the code is from.
    FILES = { %r{/malloc/|malloc\.c} => "malloc and free", %r{multiarch|/string/} => "memcpy and the like",
              %r{crates\.io-\h+/(?<crate>[\w-]+?)-\d} => nil, %r{ext/hyperion_core/src} => OURS,
              %r{ext/hyperion_core/examples} => PROGRAM }.freeze
    # By the function, when the file is none of those.
    FUNCTIONS = { /hyperion_core::/ => OURS, /\brequests::/ => PROGRAM,
                  /\b(?<crate>h2|http|bytes|tokio)::/ => nil }.freeze
    # Instructions, their share, the file and the function of a line of callgrind_annotate.
    LINE = /^\s*([\d,]+) \([ \d.]+%\)\s+(\S+?\.\w+|\?\?\?):(.*)$/
    # Shares below it are summed up.
    LEAST = 0.01

    def initialize(shapes)
      unknown = shapes - Instructions::SHAPES
      raise Failure, "no #{unknown.first}; there are #{Instructions::SHAPES.join(', ')}" if unknown.any?

      @shapes = shapes
    end

    def table
      raise Failure, "valgrind is missing: run bin/setup --dev" unless Bench.installed?("valgrind")

      NativePrograms.build_example("requests")
      profiles = @shapes.map { |shape| profile(shape) }
      owners = profiles.flat_map(&:keys).uniq - [OTHERS]
      owners = owners.sort_by { |owner| -profiles.first.fetch(owner, 0) }
      Table.new(["instructions of", *@shapes], rows([*owners, OTHERS], profiles), words: 1)
    end

    private

    def rows(owners, profiles)
      shares = owners.map { |owner| [owner, *profiles.map { |profile| profile[owner]&.round }] }
      [*shares, ["all", *profiles.map { |profile| profile.values.sum.round }]]
    end

    # Instructions a request, by owner.
    def profile(shape)
      few, many = Instructions::REQUESTS.map { |count| count(shape, count) }
      requests = Instructions::REQUESTS.reverse.reduce(:-)
      own = many.to_h { |owner, ir| [owner, (ir - few.fetch(owner, 0)).fdiv(requests)] }
      small, large = own.partition { |owner, ir| ir < LEAST * own.values.sum || owner == OTHERS }
      large.to_h.merge(OTHERS => small.sum(&:last))
    end

    def count(shape, count)
      Dir.mktmpdir do |dir|
        file = File.join(dir, "callgrind")
        run("valgrind", "--tool=callgrind", "--callgrind-out-file=#{file}", NativePrograms.path("requests"), shape,
            count.to_s)
        sum(run("callgrind_annotate", "--threshold=100", "--auto=no", file))
      end
    end

    def sum(lines)
      lines.scan(LINE).each_with_object(Hash.new(0)) do |(ir, file, function), sums|
        sums[owner(file, function)] += Integer(ir.delete(","), 10)
      end
    end

    def owner(file, function)
      find(FILES, file) || find(FUNCTIONS, function) || OTHERS
    end

    def find(owners, text)
      owners.each do |pattern, owner|
        match = pattern.match(text)
        return owner || match[:crate] if match
      end
      nil
    end

    def run(*command)
      output, status = Open3.capture2e(*command)
      raise Failure, "#{command.first} failed:\n#{output}" unless status.success?

      output
    end
  end
end
