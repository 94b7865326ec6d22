//! Looks at a request head byte by byte before it is parsed. What two parsers could read in two ways, and so smuggle a
//! request past one of them, is refused here (RFC 9112, section 11.2): the parser behind is more tolerant.

use http::StatusCode;
use memchr::memchr;

use super::refusal::Refusal;
use crate::request;

/// Bytes of a request line.
pub(super) const MAX_REQUEST_LINE: usize = 16 * 1024;
/// Field lines of a head, as many as the parser has room for on its stack.
pub(super) const MAX_FIELDS: usize = 100;

const BARE_LF: Refusal = Refusal::bad_request("a line ends without CR");
const CONTROL: Refusal = Refusal::bad_request("a line has a byte that none may have");
const REQUEST_LINE: Refusal = Refusal::bad_request("the request line is malformed");
const TARGET: Refusal = Refusal::bad_request("the target of the request line is none");
const FIELD_NAME: Refusal = Refusal::bad_request("a field name is malformed");
const OBS_FOLD: Refusal = Refusal::bad_request("a field line is folded");
const CONTENT_LENGTH: Refusal = Refusal::bad_request("content-length is not one number");
const TRANSFER_ENCODING: Refusal =
    Refusal::bad_request("transfer-encoding is not chunked alone, or in HTTP/1.0, or beside content-length");
const LONG_LINE: Refusal = Refusal::new(StatusCode::URI_TOO_LONG, "the request line is too long");
const LARGE_HEAD: Refusal =
    Refusal::new(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE, "the header fields are too many or too large");
const VERSION: Refusal =
    Refusal::new(StatusCode::HTTP_VERSION_NOT_SUPPORTED, "neither HTTP/1.1 nor HTTP/1.0");

/// How long the body is (RFC 9112, section 6.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Framing {
    Empty,
    Length(u64),
    Chunked,
}

/// Where the head has been looked at, and what was found.
#[derive(Debug)]
pub(super) struct HeadScanner {
    /// Where the line begins that is not complete.
    line: usize,
    /// Where its end is looked for.
    searched: usize,
    /// Where the first field line begins.
    fields_at: Option<usize>,
    fields: usize,
    max_size: usize,
    is_http_10: bool,
    length: Option<u64>,
    chunked: bool,
}

impl HeadScanner {
    /// For a head whose field lines have at most `max_size` bytes.
    pub(super) fn new(max_size: usize) -> Self {
        HeadScanner {
            line: 0,
            searched: 0,
            fields_at: None,
            fields: 0,
            max_size,
            is_http_10: false,
            length: None,
            chunked: false,
        }
    }

    /// Takes all that has come of the head, which begins with what was seen before. Answers the length of the head once
    /// it is complete.
    pub(super) fn scan(&mut self, bytes: &[u8]) -> Result<Option<(usize, Framing)>, Refusal> {
        while let Some(at) = memchr(b'\n', &bytes[self.searched..]) {
            let end = self.searched + at;
            let line = bytes[self.line..end].strip_suffix(b"\r").ok_or(BARE_LF)?;
            let start = std::mem::replace(&mut self.line, end + 1);
            self.searched = self.line;
            match self.fields_at {
                // RFC 9112, section 2.2: some clients send an empty line after a body.
                None if line.is_empty() && start == 0 => {}
                None => {
                    self.request_line(line)?;
                    self.fields_at = Some(self.line);
                }
                Some(_) if line.is_empty() => return Ok(Some((self.line, self.framing()?))),
                Some(_) => {
                    self.check_size(self.line)?;
                    self.field(line)?;
                }
            }
        }
        self.searched = bytes.len();
        self.unfinished(bytes)
    }

    /// A line that is too long or that can be no request line is not waited for.
    fn unfinished(&self, bytes: &[u8]) -> Result<Option<(usize, Framing)>, Refusal> {
        // The last byte may be the CR of the end.
        self.check_size(bytes.len().saturating_sub(1).max(self.line))?;
        let rest = &bytes[self.line..];
        match self.fields_at {
            None if rest.len() > MAX_REQUEST_LINE + 1 => Err(LONG_LINE),
            None if rest.first().is_some_and(|&byte| !is_token(byte) && byte != b'\r') => Err(REQUEST_LINE),
            _ => Ok(None),
        }
    }

    fn check_size(&self, end: usize) -> Result<(), Refusal> {
        match self.fields_at {
            Some(start) if end - start > self.max_size => Err(LARGE_HEAD),
            _ => Ok(()),
        }
    }

    /// RFC 9112, section 3: three words with one space between them.
    fn request_line(&mut self, line: &[u8]) -> Result<(), Refusal> {
        if line.len() > MAX_REQUEST_LINE {
            return Err(LONG_LINE);
        }
        let mut words = line.split(|&byte| byte == b' ');
        let (method, target, version) = (words.next(), words.next(), words.next());
        let (Some(method), Some(target), Some(version), None) = (method, target, version, words.next())
        else {
            return Err(REQUEST_LINE);
        };
        // A fragment would be dropped without a word. Not every client percent-encodes UTF-8, which HTTP/2 bears as well.
        let is_target = |&byte: &u8| (byte.is_ascii_graphic() && byte != b'#') || byte >= 0x80;
        if method.is_empty() || !method.iter().copied().all(is_token) {
            return Err(REQUEST_LINE);
        }
        if target.is_empty() || !target.iter().all(is_target) {
            return Err(REQUEST_LINE);
        }
        if !request::is_target(target) || (!target.is_ascii() && std::str::from_utf8(target).is_err()) {
            return Err(TARGET);
        }
        match version {
            b"HTTP/1.1" => {}
            b"HTTP/1.0" => self.is_http_10 = true,
            [b'H', b'T', b'T', b'P', b'/', b'0'..=b'9', b'.', b'0'..=b'9'] => return Err(VERSION),
            _ => return Err(REQUEST_LINE),
        }
        Ok(())
    }

    fn field(&mut self, line: &[u8]) -> Result<(), Refusal> {
        self.fields += 1;
        if self.fields > MAX_FIELDS {
            return Err(LARGE_HEAD);
        }
        let (name, value) = split_field(line)?;
        if name.eq_ignore_ascii_case(b"content-length") {
            let length = decimal(value).filter(|_| self.length.is_none());
            self.length = Some(length.ok_or(CONTENT_LENGTH)?);
        } else if name.eq_ignore_ascii_case(b"transfer-encoding") {
            if self.chunked || self.is_http_10 || !value.eq_ignore_ascii_case(b"chunked") {
                return Err(TRANSFER_ENCODING);
            }
            self.chunked = true;
        }
        Ok(())
    }

    fn framing(&self) -> Result<Framing, Refusal> {
        match (self.length, self.chunked) {
            (None, false) | (Some(0), false) => Ok(Framing::Empty),
            (Some(length), false) => Ok(Framing::Length(length)),
            (None, true) => Ok(Framing::Chunked),
            (Some(_), true) => Err(TRANSFER_ENCODING),
        }
    }
}

/// Name and value of a field line (RFC 9112, section 5), without the blanks around the value.
pub(super) fn split_field(line: &[u8]) -> Result<(&[u8], &[u8]), Refusal> {
    if matches!(line.first(), Some(b' ' | b'\t')) {
        return Err(OBS_FOLD);
    }
    let colon = memchr(b':', line).ok_or(FIELD_NAME)?;
    let (name, value) = (&line[..colon], &line[colon + 1..]);
    if name.is_empty() || !name.iter().copied().all(is_token) {
        return Err(FIELD_NAME);
    }
    let is_control = |&byte: &u8| (byte < b' ' && byte != b'\t') || byte == 0x7f;
    if value.iter().any(is_control) { Err(CONTROL) } else { Ok((name, value.trim_ascii())) }
}

/// A number of decimal digits alone.
fn decimal(digits: &[u8]) -> Option<u64> {
    /// What the parser behind can count to.
    const MAX: u64 = u64::MAX - 2;
    if !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    std::str::from_utf8(digits).ok()?.parse().ok().filter(|&number| number <= MAX)
}

/// RFC 9110, section 5.6.2.
fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The same answer must come from the whole and from byte after byte.
    fn scan(head: &[u8]) -> Result<Option<(usize, Framing)>, Refusal> {
        let whole = HeadScanner::new(1000).scan(head);
        let mut scanner = HeadScanner::new(1000);
        let found = (0..=head.len()).map(|end| scanner.scan(&head[..end])).find(|found| *found != Ok(None));
        assert_eq!(found.unwrap_or(Ok(None)), whole, "{:.80?}", String::from_utf8_lossy(head));
        whole
    }

    fn framing(fields: &str) -> Result<Framing, StatusCode> {
        let head = format!("POST / HTTP/1.1\r\n{fields}\r\n");
        match scan(head.as_bytes()) {
            Ok(Some((length, framing))) if length == head.len() => Ok(framing),
            Ok(found) => panic!("{fields:?}: {found:?}"),
            Err(refusal) => Err(refusal.status),
        }
    }

    #[test]
    fn the_framing_is_found() {
        assert_eq!(framing("host: a\r\n"), Ok(Framing::Empty));
        assert_eq!(framing("Content-Length: 0\r\n"), Ok(Framing::Empty));
        assert_eq!(framing("Content-Length:\t17 \r\n"), Ok(Framing::Length(17)));
        assert_eq!(framing("Transfer-Encoding: Chunked\r\n"), Ok(Framing::Chunked));
    }

    #[test]
    fn what_could_smuggle_a_request_is_refused() {
        for fields in [
            "content-length: 5\r\ntransfer-encoding: chunked\r\n",
            "transfer-encoding: chunked\r\ncontent-length: 5\r\n",
            "content-length: 5\r\ncontent-length: 5\r\n",
            "content-length: 5, 5\r\n",
            "content-length: +5\r\n",
            "content-length: \r\n",
            "content-length: 18446744073709551616\r\n",
            "transfer-encoding: gzip, chunked\r\n",
            "transfer-encoding: chunked, chunked\r\n",
            "transfer-encoding: identity\r\n",
            "transfer-encoding:\r\n",
            "transfer-encoding: \x0bchunked\r\n",
            "transfer-encoding: chunked\r\ntransfer-encoding: chunked\r\n",
            "transfer-encoding : chunked\r\n",
            "transfer-encoding\r\n",
            "a: b\r\n folded\r\n",
            " a: b\r\n",
            ": b\r\n",
            "a: b\n",
            "a: b\rc: d\r\n",
            "a: b\0c\r\n",
            "a\0: b\r\n",
            "a b: c\r\n",
        ] {
            assert_eq!(framing(fields), Err(StatusCode::BAD_REQUEST), "{fields:?}");
        }
        let old = scan(b"POST / HTTP/1.0\r\ntransfer-encoding: chunked\r\n\r\n");
        assert_eq!(old, Err(TRANSFER_ENCODING));
    }

    #[test]
    fn a_request_line_is_three_words() {
        for line in [
            "GET /",
            "GET  / HTTP/1.1",
            "GET / HTTP/1.1 ",
            " GET / HTTP/1.1",
            "GET /a b HTTP/1.1",
            "GET\t/ HTTP/1.1",
            "G@T / HTTP/1.1",
            "GET /\x7f HTTP/1.1",
            "GET /#a HTTP/1.1",
            "GET / http/1.1",
            "GET / HTTP/1.1\r",
            "GET / HTTP/11",
            "\r\n\r\nGET / HTTP/1.1",
        ] {
            let found = scan(format!("{line}\r\n\r\n").as_bytes());
            assert_eq!(found.map_err(|refusal| refusal.status), Err(StatusCode::BAD_REQUEST), "{line:?}");
        }
        assert_eq!(
            scan("GET /\u{e9} HTTP/1.1\r\nhost: a\r\n\r\n".as_bytes()).map(|found| found.is_some()),
            Ok(true)
        );
        assert_eq!(scan(b"GET / HTTP/2.0\r\n\r\n"), Err(VERSION));
        assert_eq!(scan(b"\r\nGET / HTTP/1.0\r\n\r\n"), Ok(Some((20, Framing::Empty))));
    }

    #[test]
    fn a_target_has_none_of_the_bytes_that_belong_to_others() {
        for target in ["/<", "/>", "/`", "/a?<", "http://a/<"] {
            assert_eq!(scan(format!("GET {target} HTTP/1.1\r\n\r\n").as_bytes()), Err(TARGET), "{target:?}");
        }
        assert_eq!(scan(b"GET /\xe9 HTTP/1.1\r\n\r\n"), Err(TARGET));
        assert!(scan(b"GET /{\"|}?a=>` HTTP/1.1\r\n\r\n").is_ok());
    }

    #[test]
    fn the_limits_are_met_and_not_passed() {
        let target = |size: usize| format!("GET /{} HTTP/1.1\r\n\r\n", "a".repeat(size - 14));
        assert!(scan(target(MAX_REQUEST_LINE).as_bytes()).is_ok());
        assert_eq!(scan(target(MAX_REQUEST_LINE + 1).as_bytes()), Err(LONG_LINE));
        assert_eq!(framing(&format!("a: {}\r\n", "b".repeat(995))), Ok(Framing::Empty));
        let too_large = Err(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE);
        assert_eq!(framing(&format!("a: {}\r\n", "b".repeat(996))), too_large);
        assert_eq!(framing(&"a: b\r\n".repeat(MAX_FIELDS)), Ok(Framing::Empty));
        assert_eq!(framing(&"a: b\r\n".repeat(MAX_FIELDS + 1)), too_large);
    }

    #[test]
    fn a_tls_handshake_is_no_request_line() {
        assert_eq!(HeadScanner::new(1000).scan(b"\x16\x03\x01"), Err(REQUEST_LINE));
    }
}
