# frozen_string_literal: true

# Answers "/N" with N headers, without allocating anything, and "/stats" with the objects and bytes that the process has
# allocated. Nothing is collected, so that nothing is subtracted.
GC.disable

ANSWERS = [2, 10, 25].to_h do |count|
  fields = (1...count).to_h { |number| ["x-header-#{number}", "a value of thirty bytes, or so"] }
  ["/#{count}", [200, { "content-type" => "text/plain", **fields }.freeze, ["hello"].freeze].freeze]
end.freeze

# Slots of the heap come in sizes since Ruby 3.2.
def slot_bytes
  return GC.stat(:total_allocated_objects) * GC::INTERNAL_CONSTANTS[:RVALUE_SIZE] unless GC.respond_to?(:stat_heap)

  GC.stat_heap.sum { |_, heap| heap.fetch(:total_allocated_objects) * heap.fetch(:slot_size) }
end

run(lambda do |env|
  ANSWERS.fetch(env["PATH_INFO"]) do
    figures = [GC.stat(:total_allocated_objects), slot_bytes + GC.stat(:malloc_increase_bytes)]
    [200, { "content-type" => "text/plain" }, [figures.join(" ")]]
  end
end)
