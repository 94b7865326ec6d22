//! Errors as Ruby sees them: the classes of `lib/hyperion_rs/errors.rb`.

use std::fmt::Display;

use magnus::error::ErrorType;
use magnus::prelude::*;
use magnus::{Error, ExceptionClass, RModule, Ruby, Value};

/// An error class of `HyperionRs`.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Class {
    /// An option or a certificate.
    Configuration,
    /// An address.
    Bind,
    /// The peer went away.
    ClientDisconnected,
    /// A request body over `max_body_size`.
    BodyTooLarge,
    /// A request body that stalled.
    BodyTimeout,
}

impl Class {
    fn name(self) -> &'static str {
        match self {
            Class::Configuration => "ConfigurationError",
            Class::Bind => "BindError",
            Class::ClientDisconnected => "ClientDisconnected",
            Class::BodyTooLarge => "BodyTooLarge",
            Class::BodyTimeout => "BodyTimeout",
        }
    }

    fn find(self, ruby: &Ruby) -> Result<ExceptionClass, Error> {
        ruby.class_object().const_get::<_, RModule>("HyperionRs")?.const_get(self.name())
    }

    /// Whether an error is of this class.
    pub(crate) fn is(self, ruby: &Ruby, error: &Error) -> bool {
        self.find(ruby).is_ok_and(|class| error.is_kind_of(class))
    }

    /// The exception with this message.
    pub(crate) fn error(self, ruby: &Ruby, message: impl Display) -> Error {
        match self.find(ruby) {
            Ok(class) => Error::new(class, message.to_string()),
            Err(missing) => missing,
        }
    }
}

/// The exception object of an error.
pub(crate) fn exception(error: &Error) -> Result<Value, Error> {
    match error.error_type() {
        ErrorType::Exception(exception) => Ok(exception.as_value()),
        ErrorType::Error(class, message) => {
            class.new_instance((message.as_ref(),)).map(|error| error.as_value())
        }
        ErrorType::Jump(_) => Err(error.clone()),
    }
}
