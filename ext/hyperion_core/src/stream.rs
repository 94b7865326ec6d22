//! The tasks of a stream: one that takes a request body, one that sends a response which does not go out at once.

mod download;
mod remainder;
pub(crate) mod tunnel;
mod upload;

pub(crate) use download::Download;
pub(crate) use remainder::refuse;
pub(crate) use upload::{collect, pass_on};
