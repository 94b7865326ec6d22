//! The head of a response as HTTP/1.1 writes it (RFC 9112, section 4), from an application that has taken over its
//! connection.

use bytes::{Buf, BytesMut};
use http::{HeaderName, StatusCode};
use httparse::{EMPTY_HEADER, Response, Status};
use thiserror::Error;

use crate::response::{Head, InvalidField};

/// Bytes of a head, and lines of it, as much as any application writes by hand.
const MAX_SIZE: usize = 64 * 1024;
const MAX_FIELDS: usize = 256;

/// Why what the application wrote is no head.
#[derive(Debug, Error)]
pub(super) enum Malformed {
    #[error("it is no HTTP/1.1 response: {0}")]
    Syntax(#[from] httparse::Error),
    #[error("its head is longer than {MAX_SIZE} bytes")]
    TooLarge,
    #[error("{0}")]
    Field(#[from] InvalidField),
    #[error("its status is {0}")]
    Status(u16),
    #[error("content-length is not one number")]
    Length,
    #[error("it has no end")]
    Unfinished,
    #[error("nothing was written")]
    Nothing,
    #[error("it switches protocols, which the client has not asked for")]
    Upgrade,
    #[error("the application's socket failed: {0}")]
    Io(#[from] std::io::Error),
}

/// Takes a whole head from the front of `bytes`; nothing while it is incomplete.
pub(super) fn take(bytes: &mut BytesMut) -> Result<Option<Head>, Malformed> {
    let mut fields = [EMPTY_HEADER; MAX_FIELDS];
    let mut response = Response::new(&mut fields);
    let size = match response.parse(bytes)? {
        Status::Complete(size) if size <= MAX_SIZE => size,
        Status::Partial if bytes.len() <= MAX_SIZE => return Ok(None),
        _ => return Err(Malformed::TooLarge),
    };
    let code = response.code.unwrap_or_default();
    let mut head = Head::new(StatusCode::from_u16(code).map_err(|_| Malformed::Status(code))?);
    for field in response.headers.iter() {
        let name = HeaderName::from_bytes(field.name.as_bytes()).map_err(|_| httparse::Error::HeaderName)?;
        head.push(name, field.value)?;
    }
    let mut lengths = head.get_all(&http::header::CONTENT_LENGTH);
    // RFC 9112, section 6.3: what is said twice, or is no number, cannot be relied on.
    if lengths.next().is_some() && (lengths.next().is_some() || head.content_length().is_none()) {
        return Err(Malformed::Length);
    }
    drop(lengths);
    bytes.advance(size);
    Ok(Some(head))
}

#[cfg(test)]
mod tests {
    use http::header::{CONTENT_TYPE, SET_COOKIE};

    use super::*;

    fn parse(text: &[u8]) -> Result<Option<Head>, Malformed> {
        take(&mut BytesMut::from(text))
    }

    #[test]
    fn a_head_is_taken_and_what_follows_is_left() {
        let text = b"HTTP/1.1 201 Created\r\nContent-Type: text/plain\r\nSet-Cookie: a=1\r\nSet-Cookie: b=2\r\n\r\nbody";
        for cut in 0..text.len() - 4 {
            assert!(parse(&text[..cut]).unwrap().is_none(), "{cut}");
        }
        let mut bytes = BytesMut::from(&text[..]);
        let head = take(&mut bytes).unwrap().unwrap();
        assert_eq!(head.status(), 201);
        assert_eq!(head.get(&CONTENT_TYPE), Some(&b"text/plain"[..]));
        assert_eq!(head.get_all(&SET_COOKIE).collect::<Vec<_>>(), [&b"a=1"[..], b"b=2"]);
        assert_eq!(bytes, "body");
    }

    #[test]
    fn what_is_no_head_is_an_error() {
        let large = [&b"HTTP/1.1 200 OK\r\nx: "[..], &[b'x'; MAX_SIZE]].concat();
        let many = [&b"HTTP/1.1 200 OK\r\n"[..], &b"a: b\r\n".repeat(MAX_FIELDS + 1), b"\r\n"].concat();
        let malformed = [
            &b"hello\r\n\r\n"[..],
            b"HTTP/2 200\r\n\r\n",
            b"HTTP/1.1 2000 OK\r\n\r\n",
            b"HTTP/1.1 099 OK\r\n\r\n",
            b"HTTP/1.1 200 OK\r\na b: c\r\n\r\n",
            b"HTTP/1.1 200 OK\r\na: b\r\n c\r\n\r\n",
            b"HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncontent-length: 1\r\n\r\n",
            b"HTTP/1.1 200 OK\r\ncontent-length: -1\r\n\r\n",
            &large,
            &many,
        ];
        for text in malformed {
            assert!(parse(text).is_err(), "{:?}", String::from_utf8_lossy(&text[..40.min(text.len())]));
        }
    }
}
