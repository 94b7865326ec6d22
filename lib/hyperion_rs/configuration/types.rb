# frozen_string_literal: true

require_relative "types/base"
require_relative "types/bind_list"
require_relative "types/boolean"
require_relative "types/bytes"
require_relative "types/choice"
require_relative "types/clamped"
require_relative "types/duration"
require_relative "types/host"
require_relative "types/number"
require_relative "types/path"
require_relative "types/text"
require_relative "types/threads"
