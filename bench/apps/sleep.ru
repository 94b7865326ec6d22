# frozen_string_literal: true

# Waits as an app does for its database: requests at once are what counts.
run(lambda do |_env|
  sleep 0.005
  [200, { "content-type" => "text/plain" }, ["hello"]]
end)
