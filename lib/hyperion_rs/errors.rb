# frozen_string_literal: true

module HyperionRs
  # Tags every error that hyperion-rs raises: one `rescue HyperionRs::Error` takes them all, whatever their class.
  module Error
  end

  # An option that is unknown, malformed or contradicts another one, or a certificate that cannot be used.
  class ConfigurationError < StandardError
    include Error
  end

  # An address that cannot be listened on.
  class BindError < StandardError
    include Error
  end

  # The Rust side cannot be loaded.
  class NativeLibraryError < StandardError
    include Error
  end

  # A config.ru that is missing or raises while it is loaded.
  class AppLoadError < StandardError
    include Error
  end

  # The program cannot be started anew.
  class RestartError < StandardError
    include Error
  end

  # The peer went away while its request was read or its response written. An IOError, as apps expect of a dead socket.
  class ClientDisconnected < IOError
    include Error
  end

  # A request body that is larger than max_body_size, read while it arrives. Unrescued, it answers 413.
  class BodyTooLarge < IOError
    include Error
  end

  # A request body that made no progress within body_timeout, read while it arrives. Unrescued, it answers 408.
  class BodyTimeout < IOError
    include Error
  end
end
