//! What the application answers.

mod head;
mod hijacked;
mod record;
mod responder;

use std::sync::Arc;

use bytes::Bytes;
use http::header::{CONTENT_LENGTH, RETRY_AFTER};
use http::{HeaderMap, HeaderValue, StatusCode};

use crate::body::{Charge, ChunkedDecoder, ConnectionMemory, FileBody, ResponseBody};
use crate::stream::tunnel::Tunnel;

pub use crate::connection::{Hold, Stream, Taken, Taking};
pub use head::{Head, InvalidField};
pub use hijacked::Hijacked;
pub use record::Outcome;
pub(crate) use record::{Answered, Record};
pub(crate) use responder::Reply;
pub use responder::{Responder, Upgrade};

pub use crate::stream::tunnel::Failure;

/// Seconds after which a client may try again that was refused for want of room.
const RETRY_SECONDS: &[u8] = b"1";

/// A response: its head, and where its body comes from.
#[derive(Debug)]
pub(crate) struct Response {
    pub(crate) head: Head,
    pub(crate) body: Payload,
}

/// A response as it is sent.
pub(crate) struct Prepared {
    pub(crate) status: StatusCode,
    pub(crate) fields: HeaderMap,
    /// Empty when none is sent.
    pub(crate) body: Payload,
    /// Of the body, when the head says so.
    pub(crate) length: Option<u64>,
    /// What the application got wrong.
    pub(crate) complaint: Option<String>,
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
    /// They are pushed by the application, which has put the chunked coding on them.
    Coded(ResponseBody),
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
            Payload::Coded(_) | Payload::Tunnel(_) => None,
        }
    }

    /// Whether it is known to have no bytes.
    pub(crate) fn is_empty(&self) -> bool {
        self.len() == Some(0)
    }
}

impl Response {
    /// What goes over the wire, to a HEAD or to another request.
    pub(crate) fn prepare(self, is_head: bool, server: Option<&HeaderValue>) -> Prepared {
        let Response { head, body } = self.decoded();
        let bodiless = is_head || has_no_body(head.status());
        let known = if bodiless { None } else { body.len() };
        let complaint = known
            .zip(head.content_length())
            .filter(|(is, said)| is != said)
            .map(|(is, said)| format!("content-length is {said}, the body has {is} bytes; sent as {is}"));
        // After its length was settled: whether a pushed body has one must not depend on who was faster.
        let body = if bodiless { Payload::Empty } else { finished(&head, body) };
        let length = known.or_else(|| head.content_length());
        let (status, fields) = head.into_response(server, known);
        Prepared { status, fields, body, length, complaint }
    }

    /// An application that has framed its body for HTTP/1.1 by itself, as Rails 6.1 and `Rack::Chunked` do, wants it sent
    /// as it was before.
    fn decoded(self) -> Self {
        let Response { head, body } = self;
        if !head.is_chunked() {
            return Response { head, body };
        }
        let body = match body {
            Payload::Full(bytes, charge) => match ChunkedDecoder::decode_whole(&bytes) {
                Some(bytes) => Payload::Full(bytes, charge),
                // It only says so: no client could read it.
                None => return Response { head, body: Payload::Full(bytes, charge) },
            },
            Payload::Stream(body, _) => Payload::Coded(body),
            body => body,
        };
        // RFC 9112, section 6.3: a length is of no account then.
        let head = head.changed(head.status(), |name| *name == CONTENT_LENGTH);
        Response { head, body }
    }

    /// A response of ours: plain text, the reason phrase of the status as its body.
    pub(crate) fn plain(status: StatusCode, memory: &Arc<ConnectionMemory>) -> Self {
        let text = status.canonical_reason().unwrap_or("");
        let mut head = Head::new(status);
        head.push(http::header::CONTENT_TYPE, b"text/plain").expect("a constant without control characters");
        Response { head, body: Payload::Full(Bytes::from_static(text.as_bytes()), memory.charge(text.len())) }
    }

    /// As [`Response::plain`], to a request beyond a cap.
    pub(crate) fn busy(memory: &Arc<ConnectionMemory>) -> Self {
        let mut response = Self::plain(StatusCode::SERVICE_UNAVAILABLE, memory);
        response.head.push(RETRY_AFTER, RETRY_SECONDS).expect("a constant without control characters");
        response
    }
}

/// A body that was pushed is as good as a whole one, once it has been finished.
fn finished(head: &Head, body: Payload) -> Payload {
    let Payload::Stream(stream, length) = body else { return body };
    let promised = head.content_length();
    match stream.take_whole(|length| promised.is_none_or(|promised| promised == length as u64)) {
        Some((bytes, _)) if bytes.is_empty() => Payload::Empty,
        Some((bytes, charge)) => Payload::Full(bytes, charge),
        None => Payload::Stream(stream, length),
    }
}

/// RFC 9110, section 6.4.1.
fn has_no_body(status: StatusCode) -> bool {
    status.is_informational() || status == StatusCode::NO_CONTENT || status == StatusCode::NOT_MODIFIED
}
