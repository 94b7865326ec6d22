//! What the application answers.

mod head;
mod hijacked;
mod record;
mod responder;

use std::sync::Arc;

use bytes::Bytes;

use crate::body::{Charge, ConnectionMemory, FileBody, ResponseBody};
use crate::stream::tunnel::Tunnel;

pub use head::{Head, InvalidField};
pub use hijacked::Hijacked;
pub use record::Outcome;
pub(crate) use record::{Answered, Record};
pub(crate) use responder::Reply;
pub use responder::{Responder, Upgrade};

pub use crate::stream::tunnel::Failure;

/// A response: its head, and where its body comes from.
#[derive(Debug)]
pub(crate) struct Response {
    pub(crate) head: Head,
    pub(crate) body: Payload,
}

/// Where the bytes of a response come from.
#[derive(Debug)]
pub(crate) enum Payload {
    /// There are none.
    Empty,
    /// All of them.
    Full(Bytes, Charge),
    /// They are pushed by the application as it makes them, or were put in a temporary file; how many, if that is
    /// known.
    Stream(ResponseBody, Option<u64>),
    /// They are read from a file by the core.
    File(FileBody),
    /// They are what the application writes to its end of a tunnel.
    Tunnel(Tunnel),
}

impl Payload {
    /// Its size in bytes, when it is known before the body is sent.
    pub(crate) fn len(&self) -> Option<u64> {
        match self {
            Payload::Empty => Some(0),
            Payload::Full(bytes, _) => Some(bytes.len() as u64),
            Payload::Stream(_, len) => *len,
            Payload::File(file) => Some(file.len()),
            Payload::Tunnel(_) => None,
        }
    }

    /// Whether it is known to have no bytes.
    pub(crate) fn is_empty(&self) -> bool {
        self.len() == Some(0)
    }
}

impl Response {
    /// A response of ours: plain text, the reason phrase of the status as its body.
    pub(crate) fn plain(status: http::StatusCode, memory: &Arc<ConnectionMemory>) -> Self {
        let text = status.canonical_reason().unwrap_or("");
        let mut head = Head::new(status);
        head.push(http::header::CONTENT_TYPE, b"text/plain").expect("a constant without control characters");
        Response { head, body: Payload::Full(Bytes::from_static(text.as_bytes()), memory.charge(text.len())) }
    }
}
