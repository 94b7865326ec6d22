//! Looks at the chunked coding of a request body (RFC 9112, section 7.1) before it is decoded, as [`super::head`] does
//! with the head.

use memchr::memchr;

use super::head::{MAX_FIELDS, split_field};
use super::refusal::Refusal;

/// Bytes of the line with a chunk's size: 16 digits, and what extensions anybody uses.
const MAX_SIZE_LINE: usize = 256;
/// Bytes of all extensions of a body: nobody has a use for them, and they could cost more than the data.
const MAX_EXTENSIONS: usize = 8 * 1024;
/// Bytes of the trailer section.
const MAX_TRAILERS: usize = 8 * 1024;

const SIZE: Refusal = Refusal::bad_request("a chunk's size is malformed");
const EXTENSION: Refusal = Refusal::bad_request("chunk extensions are malformed or too large");
const DATA: Refusal = Refusal::bad_request("a chunk is longer than its size");
const TRAILERS: Refusal = Refusal::bad_request("the trailers are malformed or too large");

/// Where in the body the next byte stands.
#[derive(Debug, Default)]
pub(super) struct ChunkScanner {
    part: Part,
    extensions: usize,
    trailers: usize,
    fields: usize,
}

#[derive(Debug, Default, PartialEq, Eq)]
enum Part {
    #[default]
    Size,
    /// So many bytes are left of the chunk.
    Data(u64),
    /// The CRLF after a chunk.
    DataEnd,
    Trailers,
    Done,
}

impl ChunkScanner {
    /// Whether the body has ended.
    pub(super) fn is_done(&self) -> bool {
        self.part == Part::Done
    }

    /// How many of `bytes` may be decoded; the rest is to be shown again, with what follows it.
    pub(super) fn scan(&mut self, bytes: &[u8]) -> Result<usize, Refusal> {
        let mut at = 0;
        loop {
            let rest = &bytes[at..];
            match self.part {
                Part::Size => {
                    let Some((line, length)) = line(rest, MAX_SIZE_LINE, EXTENSION, SIZE)? else {
                        return Ok(at);
                    };
                    let size = self.size(line)?;
                    self.part = if size == 0 { Part::Trailers } else { Part::Data(size) };
                    at += length;
                }
                Part::Data(left) => {
                    let count = left.min(rest.len() as u64);
                    at += count as usize;
                    if count < left {
                        self.part = Part::Data(left - count);
                        return Ok(at);
                    }
                    self.part = Part::DataEnd;
                }
                Part::DataEnd => match rest {
                    [b'\r', b'\n', ..] => {
                        self.part = Part::Size;
                        at += 2;
                    }
                    [] | [b'\r'] => return Ok(at),
                    _ => return Err(DATA),
                },
                Part::Trailers => {
                    let Some((line, length)) = line(rest, MAX_TRAILERS - self.trailers, TRAILERS, TRAILERS)?
                    else {
                        return Ok(at);
                    };
                    self.trailer(line, length)?;
                    at += length;
                }
                Part::Done => return Ok(at),
            }
        }
    }

    /// Hexadecimal digits, and extensions that nobody reads.
    fn size(&mut self, line: &[u8]) -> Result<u64, Refusal> {
        let (digits, extensions) = line.split_at(memchr(b';', line).unwrap_or(line.len()));
        if digits.is_empty() || digits.len() > 16 || !digits.iter().all(u8::is_ascii_hexdigit) {
            return Err(SIZE);
        }
        self.extensions += extensions.len();
        let is_odd = |&byte: &u8| byte.is_ascii_control() && byte != b'\t';
        if self.extensions > MAX_EXTENSIONS || extensions.iter().any(is_odd) {
            return Err(EXTENSION);
        }
        let digits = std::str::from_utf8(digits).map_err(|_| SIZE)?;
        u64::from_str_radix(digits, 16).map_err(|_| SIZE)
    }

    fn trailer(&mut self, line: &[u8], length: usize) -> Result<(), Refusal> {
        if line.is_empty() {
            self.part = Part::Done;
            return Ok(());
        }
        self.trailers += length;
        self.fields += 1;
        if self.fields > MAX_FIELDS {
            return Err(TRAILERS);
        }
        split_field(line).map(|_| ())
    }
}

/// The first line without its CRLF, and its length with it. `too_long` is the error of one that exceeds `max`, or could
/// not end within it, `malformed` that of one without CR.
fn line(
    bytes: &[u8],
    max: usize,
    too_long: Refusal,
    malformed: Refusal,
) -> Result<Option<(&[u8], usize)>, Refusal> {
    let window = &bytes[..bytes.len().min(max + 2)];
    let Some(end) = memchr(b'\n', window) else {
        return if bytes.len() >= max + 2 { Err(too_long) } else { Ok(None) };
    };
    let line = window[..end].strip_suffix(b"\r").ok_or(malformed)?;
    Ok(Some((line, end + 1)))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What passes of a body that comes as a whole, and byte after byte.
    fn scan(body: &[u8]) -> Result<(usize, bool), Refusal> {
        let mut scanner = ChunkScanner::default();
        let whole = scanner.scan(body).map(|passed| (passed, scanner.is_done()));
        let mut scanner = ChunkScanner::default();
        let mut passed = 0;
        let mut refusal = None;
        for end in 1..=body.len() {
            match scanner.scan(&body[passed..end]) {
                Ok(count) => passed += count,
                Err(error) => {
                    refusal = Some(error);
                    break;
                }
            }
        }
        let dribbled = refusal.map_or(Ok((passed, scanner.is_done())), Err);
        assert_eq!(dribbled, whole, "{:?}", String::from_utf8_lossy(body));
        whole
    }

    #[test]
    fn a_body_passes_up_to_its_end() {
        assert_eq!(scan(b"3\r\nabc\r\n0\r\n\r\n"), Ok((13, true)));
        assert_eq!(scan(b"3\r\nabc\r\n0\r\n\r\nGET"), Ok((13, true)));
        assert_eq!(scan(b"00A;a=\"b\"\r\n0123456789\r\n0\r\nx: y\r\n\r\n"), Ok((34, true)));
        assert_eq!(scan(b"3\r\nab"), Ok((5, false)));
    }

    #[test]
    fn what_could_be_read_in_two_ways_is_refused() {
        for body in [
            &b"0x3\r\nabc\r\n"[..],
            b"+3\r\nabc\r\n",
            b"-3\r\nabc\r\n",
            b" 3\r\nabc\r\n",
            b"3 \r\nabc\r\n",
            b"\r\n",
            b"g\r\n",
            b"3\nabc\r\n",
            b"3\r\nabcd\r\n",
            b"3\r\nabc\n0\r\n\r\n",
            b"3;a\rb\r\nabc\r\n",
            b"3;a\nabc\r\n",
            b"10000000000000000\r\n",
            b"0\r\nx : y\r\n\r\n",
            b"0\r\n x: y\r\n\r\n",
            b"0\r\nx: y\n\r\n",
            b"0\r\n\n",
        ] {
            assert!(scan(body).is_err(), "{:?}", String::from_utf8_lossy(body));
        }
    }

    #[test]
    fn extensions_and_trailers_are_limited() {
        let extended = |size: usize| format!("1;{}\r\na\r\n", "e".repeat(size - 2));
        assert!(scan(extended(MAX_SIZE_LINE).as_bytes()).is_ok());
        assert_eq!(scan(extended(MAX_SIZE_LINE + 1).as_bytes()), Err(EXTENSION));
        let many = extended(MAX_SIZE_LINE).repeat(MAX_EXTENSIONS / (MAX_SIZE_LINE - 1));
        assert!(scan(many.as_bytes()).is_ok());
        assert_eq!(scan([&many, &*extended(40)].concat().as_bytes()), Err(EXTENSION));
        let trailers = |size: usize| format!("0\r\nx: {}\r\n\r\n", "y".repeat(size - 5));
        assert!(scan(trailers(MAX_TRAILERS).as_bytes()).is_ok());
        assert_eq!(scan(trailers(2 * MAX_TRAILERS).as_bytes()), Err(TRAILERS));
    }
}
