# frozen_string_literal: true

# Answers with the body that it was sent.
run(->(env) { [200, { "content-type" => "text/plain" }, [env["rack.input"].read]] })
