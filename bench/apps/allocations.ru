# frozen_string_literal: true

# Answers "/" without allocating anything, and "/stats" with the number of objects that the process has allocated.
ANSWER = [200, { "content-type" => "text/plain" }.freeze, ["hello"].freeze].freeze

run(lambda do |env|
  next ANSWER unless env["PATH_INFO"] == "/stats"

  [200, { "content-type" => "text/plain" }, [GC.stat(:total_allocated_objects).to_s]]
end)
