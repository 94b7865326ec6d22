//! A response head in one buffer: cheap to fill while the application's lock is held, turned into a header map on
//! the reactor without copying a value.

use bytes::Bytes;
use http::header::{CONNECTION, CONTENT_LENGTH, DATE, SERVER, TE, TRANSFER_ENCODING, UPGRADE};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use thiserror::Error;

/// Status and header fields, in the order in which they were added.
#[derive(Debug)]
pub struct Head {
    status: StatusCode,
    values: Vec<u8>,
    fields: Vec<(HeaderName, u32)>,
    /// Bytes of names and values.
    size: usize,
}

/// Why a field cannot be added.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum InvalidField {
    /// Its value holds a byte that could end the field line early (RFC 9110, section 5.5).
    #[error("header {name:?} has the byte 0x{byte:02x}, which no header value may hold")]
    Byte {
        /// The field.
        name: HeaderName,
        /// The offending byte.
        byte: u8,
    },
    /// There are [`Head::MAX_FIELDS`] already.
    #[error("there are more than {} header lines", Head::MAX_FIELDS)]
    TooMany,
    /// The head would be larger than [`Head::MAX_SIZE`].
    #[error("the headers are larger than {} bytes", Head::MAX_SIZE)]
    TooLarge,
}

/// Fields of a head of which nobody knows how many it will have.
const FIELDS: usize = 12;
/// Bytes that most values need, so that the buffer of a head does not grow.
const VALUE_BYTES: usize = 32;

impl Head {
    /// Field lines that a head may have: more than any client takes, and far from what a `HeaderMap` can hold, which
    /// panics beyond it.
    pub const MAX_FIELDS: usize = 1000;
    /// Bytes of names and values that a head may have. They are copied while the connection is locked, and no browser
    /// takes as many.
    pub const MAX_SIZE: usize = 1024 * 1024;

    /// A head without fields.
    pub fn new(status: StatusCode) -> Self {
        Head::with_capacity(status, FIELDS)
    }

    /// A head without fields, and with room for so many.
    pub fn with_capacity(status: StatusCode, fields: usize) -> Self {
        let fields = fields.min(Self::MAX_FIELDS);
        Head {
            status,
            values: Vec::with_capacity(fields * VALUE_BYTES),
            fields: Vec::with_capacity(fields),
            size: 0,
        }
    }

    /// The status.
    pub fn status(&self) -> StatusCode {
        self.status
    }

    /// The same with another status.
    pub fn with_status(self, status: StatusCode) -> Self {
        Head { status, ..self }
    }

    /// Adds one field line. Blanks around the value are dropped (RFC 9110, section 5.5).
    pub fn push(&mut self, name: HeaderName, value: &[u8]) -> Result<(), InvalidField> {
        if let Some(byte) = first_control(value) {
            return Err(InvalidField::Byte { name, byte });
        }
        let value = value.trim_ascii();
        if self.fields.len() >= Self::MAX_FIELDS {
            return Err(InvalidField::TooMany);
        }
        self.size += name.as_str().len() + value.len();
        if self.size > Self::MAX_SIZE {
            return Err(InvalidField::TooLarge);
        }
        self.values.extend_from_slice(value);
        self.fields.push((name, self.values.len() as u32));
        Ok(())
    }

    /// Whether some field says something.
    pub fn has_values(&self) -> bool {
        !self.values.is_empty()
    }

    /// Whether a field of this name was added.
    pub fn contains(&self, name: &HeaderName) -> bool {
        self.fields.iter().any(|(field, _)| field == name)
    }

    /// The first value of this name.
    pub fn get(&self, name: &HeaderName) -> Option<&[u8]> {
        self.get_all(name).next()
    }

    /// All values of this name.
    pub fn get_all<'a>(&'a self, name: &HeaderName) -> impl Iterator<Item = &'a [u8]> {
        self.fields().filter_map(move |(field, value)| (field == name).then_some(value))
    }

    /// The number in `content-length`, when there is a valid one.
    pub fn content_length(&self) -> Option<u64> {
        std::str::from_utf8(self.get(&CONTENT_LENGTH)?).ok()?.parse().ok()
    }

    /// Whether the application has put the chunked coding on the body (RFC 9112, section 7.1).
    pub(crate) fn is_chunked(&self) -> bool {
        self.get_all(&TRANSFER_ENCODING).any(|value| value.to_ascii_lowercase().ends_with(b"chunked"))
    }

    /// All fields, in the order in which they were added.
    pub(crate) fn fields(&self) -> impl Iterator<Item = (&HeaderName, &[u8])> {
        let mut start = 0;
        self.fields.iter().map(move |(name, end)| {
            let value = &self.values[start..*end as usize];
            start = *end as usize;
            (name, value)
        })
    }

    /// The same with another status, and without the fields for which `drop` is true.
    pub(crate) fn changed(&self, status: StatusCode, drop: impl Fn(&HeaderName) -> bool) -> Self {
        let mut head = Head::new(status);
        for (name, value) in self.fields().filter(|(name, _)| !drop(name)) {
            head.push(name.clone(), value).expect("fields that were let through before");
        }
        head
    }

    /// The fields as they are sent: connection-specific ones left out (RFC 9113, section 8.2.2), `date` and
    /// `server` added when absent, and `content-length` as given by `length`, when it is.
    pub(crate) fn into_response(
        self,
        server: Option<&HeaderValue>,
        length: Option<u64>,
    ) -> (StatusCode, HeaderMap) {
        let mut map = HeaderMap::with_capacity(self.fields.len() + 3);
        let said = self.values.len();
        let mut values = self.values;
        if let Some(length) = length {
            write_decimal(&mut values, length);
        }
        let values = frozen(&values);
        // RFC 9110, section 8.6: a 204 has no length.
        let own_length = length.is_none() && self.status != StatusCode::NO_CONTENT;
        let (mut start, mut dated, mut named) = (0, false, false);
        for (name, end) in self.fields {
            let value = values.slice(start..end as usize);
            start = end as usize;
            if is_connection_specific(&name) || (!own_length && name == CONTENT_LENGTH) {
                continue;
            }
            dated |= name == DATE;
            named |= name == SERVER;
            // `push` has let through only bytes that a value may hold.
            if let Ok(value) = HeaderValue::from_maybe_shared(value) {
                map.append(name, value);
            }
        }
        if let (Some(_), Ok(length)) = (length, HeaderValue::from_maybe_shared(values.slice(said..))) {
            map.insert(CONTENT_LENGTH, length);
        }
        if !dated {
            map.insert(DATE, crate::date::now());
        }
        if let Some(server) = server.filter(|_| !named) {
            map.insert(SERVER, server.clone());
        }
        (self.status, map)
    }

    /// Whether no field was added.
    pub fn is_empty(&self) -> bool {
        self.fields.is_empty()
    }

    /// The fields as trailers; the status is of no account.
    pub fn into_trailers(self) -> HeaderMap {
        self.into_fields()
    }

    /// The fields of an informational response or of trailers: nothing is added.
    pub(crate) fn into_fields(self) -> HeaderMap {
        let mut map = HeaderMap::with_capacity(self.fields.len());
        let values = frozen(&self.values);
        let mut start = 0;
        for (name, end) in self.fields {
            let value = HeaderValue::from_maybe_shared(values.slice(start..end as usize));
            start = end as usize;
            if let (false, Ok(value)) = (is_connection_specific(&name), value) {
                map.append(name, value);
            }
        }
        map
    }
}

/// Without spare room: the encoder's dynamic table may keep a value, and all that it is a part of, for long. A copy, which
/// leaves the allocator a block of a common size, where to shrink in place would leave it a fragment.
fn frozen(values: &[u8]) -> Bytes {
    Bytes::copy_from_slice(values)
}

fn write_decimal(bytes: &mut Vec<u8>, mut number: u64) {
    let start = bytes.len();
    loop {
        bytes.push(b'0' + (number % 10) as u8);
        number /= 10;
        if number == 0 {
            break;
        }
    }
    bytes[start..].reverse();
}

/// Bytes that are looked at together.
const LANES: usize = 16;

/// Values are many, and good: all their bytes are looked at, without a branch for each, so that vectors can be used.
fn first_control(value: &[u8]) -> Option<u8> {
    if has_control(value) { value.iter().copied().find(|&byte| is_control(byte)) } else { None }
}

fn has_control(value: &[u8]) -> bool {
    let any = |lanes: &[u8; LANES]| lanes.iter().fold(false, |found, &byte| found | is_control(byte));
    match value.last_chunk() {
        // The last ones overlap those before them.
        Some(last) => any(last) || value.chunks_exact(LANES).filter_map(<[u8]>::first_chunk).any(any),
        None => {
            let mut lanes = [b' '; LANES];
            lanes[..value.len()].copy_from_slice(value);
            any(&lanes)
        }
    }
}

/// The bytes that `http::HeaderValue` refuses: controls but the tab, and DEL.
fn is_control(byte: u8) -> bool {
    (byte < b' ' && byte != b'\t') || byte == 0x7f
}

/// `te` is a request's, and one that the `h2` crate refuses to send.
fn is_connection_specific(name: &HeaderName) -> bool {
    const KEEP_ALIVE: &str = "keep-alive";
    const PROXY_CONNECTION: &str = "proxy-connection";
    *name == CONNECTION
        || *name == TRANSFER_ENCODING
        || *name == UPGRADE
        || *name == TE
        || *name == KEEP_ALIVE
        || *name == PROXY_CONNECTION
}

#[cfg(test)]
mod tests {
    use http::header::{CONTENT_TYPE, SET_COOKIE};

    use super::*;

    #[test]
    fn fields_keep_their_order_and_repeats() {
        let mut head = Head::new(StatusCode::OK);
        head.push(SET_COOKIE, b"a=1").unwrap();
        head.push(CONTENT_TYPE, b" text/plain ").unwrap();
        head.push(SET_COOKIE, b"b=2").unwrap();
        assert_eq!(head.get(&CONTENT_TYPE), Some(&b"text/plain"[..]));
        let (_, map) = head.into_response(None, None);
        let cookies: Vec<_> = map.get_all(SET_COOKIE).iter().collect();
        assert_eq!(cookies, ["a=1", "b=2"]);
        assert!(map.contains_key(DATE));
    }

    #[test]
    fn connection_specific_fields_are_dropped() {
        let mut head = Head::new(StatusCode::OK);
        for name in ["connection", "keep-alive", "proxy-connection", "transfer-encoding", "upgrade", "te"] {
            head.push(HeaderName::from_static(name), b"x").unwrap();
        }
        let (_, map) = head.into_response(Some(&HeaderValue::from_static("s")), Some(7));
        assert_eq!(map.len(), 3);
        assert_eq!(
            (&map[SERVER], &map[CONTENT_LENGTH]),
            (&HeaderValue::from_static("s"), &HeaderValue::from(7))
        );
    }

    #[test]
    fn a_value_that_could_split_the_response_is_refused() {
        let mut head = Head::new(StatusCode::OK);
        for value in [&b"a\r\nb"[..], b"a\nb", b"a\0b", b"a\x7f"] {
            assert!(head.push(CONTENT_TYPE, value).is_err(), "{value:?}");
        }
        assert!(head.push(CONTENT_TYPE, "caf\u{e9}\t!".as_bytes()).is_ok());
        assert!(!head.contains(&SET_COOKIE));
    }

    #[test]
    fn a_head_has_a_largest_number_of_fields() {
        let mut head = Head::new(StatusCode::OK);
        for _ in 0..Head::MAX_FIELDS {
            head.push(SET_COOKIE, b"a=1").unwrap();
        }
        assert_eq!(head.push(SET_COOKIE, b"a=1"), Err(InvalidField::TooMany));
        let (_, map) = head.into_response(Some(&HeaderValue::from_static("s")), Some(7));
        assert_eq!(map.len(), Head::MAX_FIELDS + 3);
    }

    #[test]
    fn a_head_has_a_largest_size() {
        let mut head = Head::new(StatusCode::OK);
        let value = vec![b'x'; Head::MAX_SIZE - SET_COOKIE.as_str().len()];
        assert_eq!(head.push(SET_COOKIE, &value), Ok(()));
        assert_eq!(head.push(SET_COOKIE, b""), Err(InvalidField::TooLarge));
    }
}
