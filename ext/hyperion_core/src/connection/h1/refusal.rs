//! Answers that the connection gives by itself, before or instead of an exchange. Each ends the connection: what
//! follows a request that was not understood may be anything.

use std::fmt::Write;

use bytes::Bytes;
use http::{HeaderValue, StatusCode};

/// Why a request gets no further.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Refusal {
    pub(super) status: StatusCode,
    /// In words, for the log.
    pub(super) reason: &'static str,
}

impl Refusal {
    pub(super) const fn new(status: StatusCode, reason: &'static str) -> Self {
        Refusal { status, reason }
    }

    pub(super) const fn bad_request(reason: &'static str) -> Self {
        Refusal { status: StatusCode::BAD_REQUEST, reason }
    }

    /// The body of the response.
    pub(super) fn text(self) -> &'static str {
        self.status.canonical_reason().unwrap_or("")
    }

    /// The response as it goes over the wire.
    pub(super) fn to_bytes(self, server: Option<&HeaderValue>) -> Bytes {
        answer(self.status, server, &[("content-type", "text/plain")], self.text())
    }
}

/// A response of ours that ends the connection.
pub(super) fn answer(
    status: StatusCode,
    server: Option<&HeaderValue>,
    fields: &[(&str, &str)],
    body: &str,
) -> Bytes {
    let reason = status.canonical_reason().unwrap_or("");
    let mut head = format!("HTTP/1.1 {} {reason}\r\nconnection: close\r\n", status.as_str());
    let date = crate::date::now();
    let own = [("date", date.to_str().unwrap_or("")), ("server", server_name(server))];
    for (name, value) in own.iter().chain(fields).filter(|(_, value)| !value.is_empty()) {
        // Writing to a String does not fail.
        let _ = write!(head, "{name}: {value}\r\n");
    }
    let _ = write!(head, "content-length: {}\r\n\r\n{body}", body.len());
    head.into()
}

fn server_name(server: Option<&HeaderValue>) -> &str {
    server.and_then(|server| server.to_str().ok()).unwrap_or("")
}
