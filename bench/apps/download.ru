# frozen_string_literal: true

require_relative "../support/failure"

# A file that the server may send by itself.
class Download
  def to_path = Bench::LARGE_FILE

  def each(&block)
    File.open(to_path, "rb") { |file| block.call(file.read(65_536)) until file.eof? }
  end
end

LENGTH = File.size(Bench::LARGE_FILE).to_s.freeze

run(->(_env) { [200, { "content-type" => "text/plain", "content-length" => LENGTH }, Download.new] })
