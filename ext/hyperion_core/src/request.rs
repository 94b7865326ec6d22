//! The head of a request, validated.

mod asked;
mod upgrade;
mod validate;

use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_TYPE, COOKIE, EXPECT, HOST, TE, TRANSFER_ENCODING, UPGRADE};
use http::{HeaderMap, HeaderValue, Method, Version};

use crate::peer::Peer;

pub(crate) use asked::Asked;
pub(crate) use validate::{Malformed, is_target};

/// The protocol a request came by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// HTTP/1.0 (RFC 1945).
    Http10,
    /// HTTP/1.1 (RFC 9112).
    Http11,
    /// HTTP/2 (RFC 9113).
    Http2,
}

impl Protocol {
    /// That of a connection without streams.
    pub(crate) fn of_h1(version: Version) -> Self {
        if version == Version::HTTP_10 { Protocol::Http10 } else { Protocol::Http11 }
    }

    /// As in a request line.
    pub fn name(self) -> &'static str {
        match self {
            Protocol::Http10 => "HTTP/1.0",
            Protocol::Http11 => "HTTP/1.1",
            Protocol::Http2 => "HTTP/2",
        }
    }
}

/// A request head that every layer above may rely on.
#[derive(Debug)]
pub struct Request {
    /// The method, as sent; GET for a WebSocket, however that is asked for.
    pub method: Method,
    /// Path and query as sent, still percent-encoded; `*` for `OPTIONS *`.
    pub target: http::uri::PathAndQuery,
    /// `host` or `host:port`, as sent in `:authority` or an absolute target, else in `host`. Empty when an HTTP/1.0
    /// client sent none.
    pub authority: HeaderValue,
    /// All fields, in the order in which they came, `host` left out. With those of an upgrade, when an extended CONNECT
    /// asks for a WebSocket.
    pub headers: HeaderMap,
    /// The number that a valid `content-length` gave.
    pub content_length: Option<u64>,
    /// `:protocol` of an extended CONNECT (RFC 8441).
    pub connect_protocol: Option<Bytes>,
    /// Which protocol carried it.
    pub protocol: Protocol,
    /// The stream it came on; 0 for HTTP/1.1.
    pub stream_id: u32,
    /// Who sent it.
    pub peer: Arc<Peer>,
    /// When its head was complete.
    pub received_at: Instant,
}

/// A head that is malformed.
#[derive(Debug)]
pub(crate) struct Rejected {
    pub(crate) why: Malformed,
    pub(crate) asked: Asked,
}

impl Rejected {
    fn new(why: Malformed, method: Method, target: Option<http::uri::PathAndQuery>) -> Self {
        Rejected { why, asked: Asked::Head(method, target) }
    }
}

impl Request {
    /// Takes what h2 has decoded; the errors are those of RFC 9113, sections 8.2 and 8.3, that h2 leaves to us.
    pub(crate) fn from_h2(
        parts: http::request::Parts,
        stream_id: u32,
        peer: Arc<Peer>,
    ) -> Result<Self, Rejected> {
        let http::request::Parts { mut method, uri, mut headers, extensions, .. } = parts;
        let (content_length, authority) = match validate::h2_head(&uri, &headers) {
            Ok(valid) => valid,
            Err(why) => return Err(Rejected::new(why, method, uri.path_and_query().cloned())),
        };
        headers.remove(HOST);
        let uri = uri.into_parts();
        let connect_protocol = extensions
            .get::<h2::ext::Protocol>()
            .map(|protocol| Bytes::copy_from_slice(protocol.as_str().as_bytes()));
        let target = match validate::target(&method, uri.path_and_query, connect_protocol.is_some()) {
            Ok(target) => target,
            Err(why) => return Err(Rejected::new(why, method, None)),
        };
        if connect_protocol.as_deref().is_some_and(upgrade::is_websocket) {
            method = Method::GET;
            upgrade::dress(&mut headers);
        }
        Ok(Request {
            method,
            target,
            authority,
            headers,
            content_length,
            connect_protocol,
            protocol: Protocol::Http2,
            stream_id,
            peer,
            received_at: Instant::now(),
        })
    }

    /// Takes what the parser of HTTP/1.1 has read; the errors are those of RFC 9112, section 3, that it leaves to us.
    pub(crate) fn from_h1(parts: http::request::Parts, peer: Arc<Peer>) -> Result<Self, Rejected> {
        let http::request::Parts { method, uri, mut headers, version, .. } = parts;
        let protocol = Protocol::of_h1(version);
        let (content_length, authority) = match validate::h1_head(&method, &uri, &headers, protocol) {
            Ok(valid) => valid,
            Err(why) => return Err(Rejected::new(why, method, uri.path_and_query().cloned())),
        };
        headers.remove(HOST);
        // The body is handed on without it.
        headers.remove(TRANSFER_ENCODING);
        let target = match validate::h1_target(&method, uri) {
            Ok(target) => target,
            Err(why) => return Err(Rejected::new(why, method, None)),
        };
        Ok(Request {
            method,
            target,
            authority,
            headers,
            content_length,
            connect_protocol: None,
            protocol,
            stream_id: 0,
            peer,
            received_at: Instant::now(),
        })
    }

    /// The protocols that the client would rather speak: `:protocol` of an extended CONNECT, or the `upgrade` of
    /// HTTP/1.1 (RFC 9110, section 7.8).
    pub fn protocols(&self) -> impl Iterator<Item = &[u8]> {
        let upgrades = self.protocol == Protocol::Http11 && upgrade::is_asked_for(&self.headers);
        let upgrades = upgrades.then(|| upgrade::words(&self.headers, &UPGRADE)).into_iter().flatten();
        self.connect_protocol.iter().map(|protocol| &protocol[..]).chain(upgrades)
    }

    /// The path as sent, without the query.
    pub fn path(&self) -> &str {
        self.target.path()
    }

    /// What follows the first `?`, or the empty string.
    pub fn query(&self) -> &str {
        self.target.query().unwrap_or("")
    }

    /// Whether the client waits for a 100 before it sends the body (RFC 9110, section 10.1.1).
    pub fn expects_continue(&self) -> bool {
        self.headers.get(EXPECT).is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(b"100-continue"))
    }

    /// Whether this is a gRPC call, whose messages are read while they arrive.
    pub fn is_grpc(&self) -> bool {
        let grpc = |value: &HeaderValue| {
            value.as_bytes().get(..16).is_some_and(|v| v.eq_ignore_ascii_case(b"application/grpc"))
        };
        self.method == Method::POST
            && self.headers.get(CONTENT_TYPE).is_some_and(grpc)
            && self.headers.contains_key(TE)
    }

    /// Whether an extended CONNECT asks for a WebSocket.
    pub(crate) fn is_connect_for_websocket(&self) -> bool {
        self.connect_protocol.as_deref().is_some_and(upgrade::is_websocket)
    }

    /// Whether a value of this field must not stay in caches or logs.
    pub fn is_sensitive(name: &http::HeaderName) -> bool {
        name == AUTHORIZATION || name == COOKIE
    }
}
