//! A connection that is left to the application: after a response's head, or before it.

use std::fmt::Write;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use http::header::{CONNECTION, CONTENT_LENGTH, DATE, SERVER, TRANSFER_ENCODING};
use http::{HeaderName, HeaderValue, StatusCode};

use super::line::H1Reply;
use super::takeover::Taken;
use crate::report::{Event, Level};
use crate::response::{Head, Record};
use crate::service::Context as Server;
use crate::shutdown::{PARTING, Permit, Phase};
use crate::stream::tunnel::{Beginning, Link, carry};

impl H1Reply {
    /// Leaves the connection to the application, after the head if there is one. HTTP does not come back to it.
    pub(crate) fn tunnel(self, head: Option<Head>, link: Link, mut record: Box<Record>) {
        let server = record.server().clone();
        let head = head.map_or_else(Bytes::new, |head| {
            record.begin(head.status());
            encode(&head, server.config.server_header.as_ref())
        });
        let upgrade = self.is_upgrade();
        let taking = self.take_connection(record);
        tokio::spawn(async move {
            // Of a client that is gone the application hears when the link is dropped.
            if let Some(taken) = taking.wait().await {
                converse(taken, head, link, upgrade, server).await;
            }
        });
    }
}

async fn converse(taken: Taken, head: Bytes, link: Link, upgrade: bool, server: Arc<Server>) {
    let Taken { io, read: received, mut hold } = taken;
    let ends = match link.split() {
        Ok(ends) => ends,
        Err(error) => {
            let reason = format!("the application's socket failed: {error}");
            return server.report(Level::Error, &Event::ResponseError { stream_id: 0, reason });
        }
    };
    let permit = hold.permit();
    let mut begun = !head.is_empty();
    let sent = |bytes: &[u8]| {
        if let Some(status) = final_status(bytes).filter(|_| !begun) {
            hold.begin(status);
            begun = true;
        }
        hold.sent(bytes.len() as u64);
    };
    let beginning = Beginning { received, head };
    let outcome = tokio::select! {
        outcome = carry(io, beginning, ends, &server.config.timeouts, sent) => Some(outcome),
        () = parted(permit, upgrade) => None,
    };
    if let Some(outcome) = outcome {
        hold.end(outcome);
    }
}

/// Resolves when the stop waits no longer: for a conversation that has no end, not as long as for a response.
async fn parted(mut permit: Permit, upgrade: bool) {
    if upgrade {
        permit.reached(Phase::Draining).await;
        // The stop may be shorter than that.
        let _ = tokio::time::timeout(PARTING, permit.reached(Phase::Closing)).await;
    } else {
        permit.reached(Phase::Closing).await;
    }
}

/// The status of a response that the application writes by hand, when it has written that line at once.
fn final_status(bytes: &[u8]) -> Option<StatusCode> {
    let line = bytes.strip_prefix(b"HTTP/1.")?;
    let status = StatusCode::from_bytes(line.get(2..5)?).ok()?;
    (!status.is_informational() || status == StatusCode::SWITCHING_PROTOCOLS).then_some(status)
}

/// The head as it goes over the wire. What follows it ends with the connection, or as its fields say.
fn encode(head: &Head, server: Option<&HeaderValue>) -> Bytes {
    let status = head.status();
    let switches = status == StatusCode::SWITCHING_PROTOCOLS;
    let mut bytes = BytesMut::new();
    // Writing to a buffer that grows does not fail.
    let _ = write!(bytes, "HTTP/1.1 {} {}\r\n", status.as_str(), status.canonical_reason().unwrap_or(""));
    let mut line = |name: &HeaderName, value: &[u8]| {
        for part in [name.as_str().as_bytes(), b": ", value, b"\r\n"] {
            bytes.extend_from_slice(part);
        }
    };
    for (name, value) in head.fields() {
        // RFC 9110, section 8.6, and RFC 9112, section 6.1: what switches protocols has no body.
        let is_framing = *name == CONTENT_LENGTH || *name == TRANSFER_ENCODING;
        if *name != CONNECTION && !(switches && is_framing) {
            line(name, value);
        }
    }
    if !head.contains(&DATE) {
        line(&DATE, crate::date::now().as_bytes());
    }
    if let Some(server) = server.filter(|_| !head.contains(&SERVER)) {
        line(&SERVER, server.as_bytes());
    }
    line(&CONNECTION, if switches { b"upgrade" } else { b"close" });
    bytes.extend_from_slice(b"\r\n");
    bytes.freeze()
}
