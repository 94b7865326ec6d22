//! What a request asks for, as far as it could be read.

use http::Method;
use http::uri::PathAndQuery;

/// Kept for the access log also of requests that are none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Asked {
    /// The method, and the target unless that is none.
    Head(Method, Option<PathAndQuery>),
    /// The request line of HTTP/1.1 as it came, or its beginning.
    Line(Box<[u8]>),
    /// Nothing that could be read.
    Nothing,
}

/// Bytes that are kept of a request line that was not understood: such lines may be many, and wait to be written.
const MAX_LINE: usize = 1024;

impl Asked {
    /// Takes what has come of a head: its first line, which need not be complete.
    pub(crate) fn by_line(head: &[u8]) -> Self {
        let head = head.strip_prefix(b"\r\n").unwrap_or(head);
        let end = memchr::memchr(b'\n', head).unwrap_or(head.len()).min(MAX_LINE);
        let line = head[..end].strip_suffix(b"\r").unwrap_or(&head[..end]);
        if line.is_empty() { Asked::Nothing } else { Asked::Line(line.into()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_is_known_by_its_first_line() {
        let line = |bytes: &[u8]| Asked::Line(bytes.into());
        assert_eq!(Asked::by_line(b"GET / HTTP/1.1\r\nhost: a\r\n"), line(b"GET / HTTP/1.1"));
        assert_eq!(Asked::by_line(b"\r\nGET / HTTP/1.1\nhost: a\r\n"), line(b"GET / HTTP/1.1"));
        assert_eq!(Asked::by_line(b"GET /a"), line(b"GET /a"));
        assert_eq!(Asked::by_line(&[b'a'; 5000]), line(&[b'a'; MAX_LINE]));
        assert_eq!(Asked::by_line(b"\r\n"), Asked::Nothing);
        assert_eq!(Asked::by_line(b""), Asked::Nothing);
    }
}
