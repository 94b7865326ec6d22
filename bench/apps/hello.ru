# frozen_string_literal: true

# The least that an app does: what is measured is the server.
run ->(_env) { [200, { "content-type" => "text/plain" }, ["hello"]] }
