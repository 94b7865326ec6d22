# frozen_string_literal: true

require "open3"
require "rbconfig"
require_relative "baseline"
require_relative "contestants"
require_relative "failure"
require_relative "loads"
require_relative "native_programs"
require_relative "server"

module Bench
  # Instructions a request, counted by callgrind. Each figure is the difference between many requests and few, so that
  # the start is not in it. Without TLS: what ciphers take depends on the machine.
  class Instructions
    # Few and many.
    REQUESTS = [1000, 4000].freeze
    SHAPES = %w[hello headers post].freeze
    # By request and response headers.
    BRIDGE_HEADERS = [2, 25].freeze
    LOAD = Loads::Closed.new(1, 10)
    # Of the bridge, what the worker does with the GVL. Matches what the compiler appends.
    SERVE = "hyperion_rs::visit::Visit::serve*"
    COUNTED = /Collected : (\d+)/

    # Figures by name.
    def run
      raise Failure, "valgrind is missing: run bin/setup --dev" unless Bench.installed?("valgrind")

      gem = Contestants::HyperionRs.new
      gem.prepare
      NativePrograms.build_example("requests")
      core = SHAPES.to_h { |shape| ["core, #{shape}", difference { |count| core(shape, count) }] }
      core["core, hello, access log"] = difference { |count| core("hello", count, File::NULL) }
      core.merge(BRIDGE_HEADERS.to_h do |headers|
        ["bridge, #{Baseline::RUBY}, #{headers} headers", difference { |count| bridge(gem, headers, count) }]
      end)
    end

    private

    def difference(&block)
      few, many = REQUESTS.map(&block)
      (many - few) / REQUESTS.reverse.reduce(:-)
    end

    def core(shape, count, *access_log)
      command = [*callgrind, NativePrograms.path("requests"), shape, count.to_s, *access_log]
      output, status = Open3.capture2e(*command)
      raise Failure, "the core under callgrind failed:\n#{output}" unless status.success?

      Integer(output[COUNTED, 1])
    end

    def bridge(gem, headers, count)
      command = ->(port) { [*callgrind("--toggle-collect=#{SERVE}"), *server(gem, port)] }
      fields = (2..headers).flat_map { |number| ["-H", "x-header-#{number}: a value of thirty bytes, or so"] }
      path = "/#{headers}"
      log = Server.run("instructions", command, path, scheme: "http") do |server|
        H2load.new(server.url(path), LOAD, server.protocol, fields, silence: H2load::COUNTED_SILENCE).run_all(count)
        server.log
      end
      Integer(File.read(log)[COUNTED, 1] || raise(Failure, "callgrind has counted nothing: see #{log}"))
    end

    def server(gem, port)
      [RbConfig.ruby, File.join(ROOT, "exe/hyperion-rs"), "-o", Server::HOST, "-p", port.to_s, "--environment",
       "production", "--log-level", "warn", "--threads", "1:1", gem.rackup("allocations")]
    end

    def callgrind(*options)
      ["valgrind", "--tool=callgrind", "--callgrind-out-file=#{File::NULL}", *options]
    end
  end
end
