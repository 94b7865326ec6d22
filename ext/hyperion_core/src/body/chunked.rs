//! Takes the chunked coding off a body (RFC 9112, section 7.1) that an application has put on.

use bytes::{Buf, Bytes, BytesMut};
use thiserror::Error;

/// Reads a chunked body piece by piece.
#[derive(Debug, Default)]
pub(crate) struct ChunkedDecoder(State);

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    /// At the line with the size of a chunk.
    #[default]
    Size,
    /// So many bytes of a chunk are left.
    Data(u64),
    /// At the end of the line that a chunk is.
    DataEnd,
    /// After the last chunk, with so many bytes of trailers read.
    Trailers(usize),
    /// After the empty line.
    End,
}

/// What there is to read.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Decoded {
    /// Bytes of the body.
    Data(Bytes),
    /// Nothing before more bytes come.
    Nothing,
    /// The body is over.
    End,
}

/// The body is not chunked as it should be.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub(crate) enum ChunkError {
    #[error("the size of a chunk is no hexadecimal number")]
    Size,
    #[error("a chunk is not as long as its size")]
    Length,
    #[error("the line of a chunk's size is longer than {MAX_LINE} bytes")]
    Line,
    #[error("the trailers are longer than {MAX_TRAILERS} bytes")]
    Trailers,
}

/// Bytes of a size with its extensions.
const MAX_LINE: usize = 1024;
const MAX_TRAILERS: usize = 64 * 1024;

impl ChunkedDecoder {
    /// The next piece of the body, of at most `max` bytes, taken from the front of `bytes`.
    pub(crate) fn decode(&mut self, bytes: &mut BytesMut, max: usize) -> Result<Decoded, ChunkError> {
        loop {
            match self.0 {
                State::Size => match line(bytes, MAX_LINE).ok_or(ChunkError::Line)? {
                    None => return Ok(Decoded::Nothing),
                    Some(line) => match size(&line)? {
                        0 => self.0 = State::Trailers(0),
                        size => self.0 = State::Data(size),
                    },
                },
                State::Data(_) if bytes.is_empty() => return Ok(Decoded::Nothing),
                State::Data(left) => {
                    let count = usize::try_from(left).unwrap_or(usize::MAX).min(bytes.len()).min(max);
                    let left = left - count as u64;
                    self.0 = if left == 0 { State::DataEnd } else { State::Data(left) };
                    return Ok(Decoded::Data(bytes.split_to(count).freeze()));
                }
                State::DataEnd => match bytes.as_ref() {
                    [b'\r', b'\n', ..] => {
                        bytes.advance(2);
                        self.0 = State::Size;
                    }
                    [] | [b'\r'] => return Ok(Decoded::Nothing),
                    _ => return Err(ChunkError::Length),
                },
                State::Trailers(read) => {
                    match line(bytes, MAX_TRAILERS - read).ok_or(ChunkError::Trailers)? {
                        None => return Ok(Decoded::Nothing),
                        Some(line) if line.is_empty() => self.0 = State::End,
                        Some(line) => self.0 = State::Trailers((read + line.len()).min(MAX_TRAILERS)),
                    }
                }
                State::End => return Ok(Decoded::End),
            }
        }
    }

    /// A whole body; nothing when it is not chunked as it should be.
    pub(crate) fn decode_whole(bytes: &[u8]) -> Option<Bytes> {
        let (mut decoder, mut rest) = (Self::default(), BytesMut::from(bytes));
        let mut body = BytesMut::with_capacity(bytes.len());
        while let Decoded::Data(data) = decoder.decode(&mut rest, usize::MAX).ok()? {
            body.extend_from_slice(&data);
        }
        decoder.is_over().then(|| body.freeze())
    }

    /// Whether the body is over.
    pub(crate) fn is_over(&self) -> bool {
        self.0 == State::End
    }
}

/// Takes a line, without its end; nothing before that has come, and an error when it is longer than `max`.
#[allow(clippy::option_option, reason = "the outer one says that the line is too long")]
fn line(bytes: &mut BytesMut, max: usize) -> Option<Option<BytesMut>> {
    let Some(end) = bytes.iter().position(|&byte| byte == b'\n') else {
        return (bytes.len() <= max).then_some(None);
    };
    if end > max {
        return None;
    }
    let mut line = bytes.split_to(end + 1);
    let content = if end > 0 && line[end - 1] == b'\r' { end - 1 } else { end };
    line.truncate(content);
    Some(Some(line))
}

/// The number before the extensions.
fn size(line: &[u8]) -> Result<u64, ChunkError> {
    let digits = line.split(|&byte| byte == b';').next().unwrap_or_default().trim_ascii();
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_hexdigit) {
        return Err(ChunkError::Size);
    }
    let digits = std::str::from_utf8(digits).map_err(|_| ChunkError::Size)?;
    u64::from_str_radix(digits, 16).map_err(|_| ChunkError::Size)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The body, when the bytes come in parts of `step`, and whether it is over.
    fn decode(input: &[u8], step: usize) -> Result<(Vec<u8>, bool), ChunkError> {
        let (mut decoder, mut bytes, mut body) = (ChunkedDecoder::default(), BytesMut::new(), Vec::new());
        for part in input.chunks(step) {
            bytes.extend_from_slice(part);
            while let Decoded::Data(data) = decoder.decode(&mut bytes, 3)? {
                assert!(data.len() <= 3);
                body.extend_from_slice(&data);
            }
        }
        Ok((body, decoder.is_over()))
    }

    #[test]
    fn chunks_are_joined_wherever_they_are_cut() {
        let input = b"5\r\nhello\r\nA;name=\"value\"\r\n, chunked!\r\n0\r\nx-trailer: 1\r\n\r\n";
        for step in 1..input.len() {
            assert_eq!(decode(input, step), Ok((b"hello, chunked!".to_vec(), true)), "{step}");
        }
    }

    #[test]
    fn a_body_that_is_cut_off_is_not_over() {
        for input in [&b"5\r\nhel"[..], b"5\r\nhello\r\n", b"5\r\nhello\r\n0\r\n", b"5"] {
            assert!(!decode(input, 4).unwrap().1, "{input:?}");
        }
    }

    #[test]
    fn malformed_chunks_are_errors() {
        let long_line = [&b"1;"[..], &[b'x'; MAX_LINE]].concat();
        let long_trailers = [&b"0\r\n"[..], &b"a: b\r\n".repeat(MAX_TRAILERS / 4)].concat();
        let cases = [
            (&b"x\r\n"[..], ChunkError::Size),
            (b"\r\n", ChunkError::Size),
            (b"-1\r\n", ChunkError::Size),
            (b"0x1\r\n", ChunkError::Size),
            (b"11111111111111111\r\n", ChunkError::Size),
            (b"1\r\nab\r\n", ChunkError::Length),
            (&long_line, ChunkError::Line),
            (&long_trailers, ChunkError::Trailers),
        ];
        for (input, error) in cases {
            assert_eq!(decode(input, 64), Err(error), "{:?}", &input[..8.min(input.len())]);
        }
    }
}
