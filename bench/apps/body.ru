# frozen_string_literal: true

# 100 kB in one String, as a page or a JSON document is.
BODY = ("x" * 100_000).freeze

run(->(_env) { [200, { "content-type" => "text/plain" }, [BODY]] })
