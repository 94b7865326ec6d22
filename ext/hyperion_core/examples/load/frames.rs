//! The client's side of an HTTP/2 connection (RFC 9113) that makes one and the same request again and again, and knows it
//! by heart: what it costs must not be missing where the server is measured.

use std::time::Instant;

use bytes::{Buf, BytesMut};
use http::Uri;

use crate::Error;

/// Requests, their answers, and the bytes of both.
pub(crate) struct Frames {
    /// To be written.
    pub(crate) out: BytesMut,
    /// The header block of the next request: it fills the dynamic table, and then all of it is in there.
    block: Vec<u8>,
    later: Vec<u8>,
    /// By their number, which is half of their stream's.
    requests: Vec<Request>,
    open: usize,
    /// Requests that the server wants open at once.
    max_open: usize,
    /// Bytes of DATA whose window was not given back yet.
    owed: u32,
    /// µs from the time when it was due to the end of its answer, of each request that was answered 200.
    pub(crate) times: Vec<u32>,
}

struct Request {
    due: Instant,
    state: State,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    /// For an answer.
    Waiting,
    /// The head of the answer is here, with status 200.
    Good,
    /// The answer has another status.
    Bad,
    Over,
}

struct Header {
    length: usize,
    kind: u8,
    flags: u8,
    stream: u32,
}

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
const FRAME_HEADER: usize = 9;
const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const PING: u8 = 6;
const GOAWAY: u8 = 7;
const WINDOW_UPDATE: u8 = 8;
const ACK: u8 = 0x1;
const END_STREAM: u8 = 0x1;
const END_HEADERS: u8 = 0x4;
const PADDED: u8 = 0x8;
const PRIORITY: u8 = 0x20;

const HEADER_TABLE_SIZE: u16 = 1;
const MAX_CONCURRENT_STREAMS: u16 = 3;
const INITIAL_WINDOW_SIZE: u16 = 4;
/// What the fields of the request take in the dynamic table at most, with a path and an authority of usual lengths.
const TABLE: u32 = 1024;
/// Of a stream, and of the connection: no answer waits for it.
const WINDOW: u32 = 1 << 30;
/// Bytes whose window is given back at once.
const OWED: u32 = 1 << 20;
/// Until the server has said what it wants; more than most do.
const MAX_OPEN: usize = 100;

/// The fields with their values in the static table (RFC 7541, appendix A).
const METHOD_GET: u8 = 0x80 | 2;
const PATH_ROOT: u8 = 0x80 | 4;
const SCHEME_HTTPS: u8 = 0x80 | 7;
const STATUS_200: u8 = 0x80 | 8;
/// Literal values, with the names of the static table, which go into the dynamic one.
const AUTHORITY: u8 = 0x40 | 1;
const PATH: u8 = 0x40 | 4;
const NEWEST_ENTRY: u8 = 0x80 | 62;
/// The longest literal whose length is one byte.
const MAX_LITERAL: usize = 126;

impl Frames {
    /// A connection that asks for `uri`.
    pub(crate) fn new(uri: &Uri) -> Result<Self, Error> {
        let path = uri.path_and_query().map_or("/", |path| path.as_str());
        let authority = uri.authority().ok_or("the URL needs a host")?.as_str();
        if path.len().max(authority.len()) > MAX_LITERAL {
            return Err("the URL is too long".into());
        }
        let mut block = vec![METHOD_GET, SCHEME_HTTPS];
        let mut later = block.clone();
        if path == "/" {
            block.push(PATH_ROOT);
            later.push(PATH_ROOT);
        } else {
            literal(&mut block, PATH, path);
            later.push(NEWEST_ENTRY + 1);
        }
        literal(&mut block, AUTHORITY, authority);
        later.push(NEWEST_ENTRY);
        let mut out = BytesMut::from(PREFACE);
        let window = [&INITIAL_WINDOW_SIZE.to_be_bytes()[..], &WINDOW.to_be_bytes()].concat();
        frame(&mut out, SETTINGS, 0, 0, &window);
        frame(&mut out, WINDOW_UPDATE, 0, 0, &WINDOW.to_be_bytes());
        let (requests, times) = (Vec::new(), Vec::new());
        Ok(Frames { out, block, later, requests, open: 0, max_open: MAX_OPEN, owed: 0, times })
    }

    /// Whether the server takes another request now.
    pub(crate) fn has_room(&self) -> bool {
        self.open < self.max_open
    }

    /// Whether all requests were answered.
    pub(crate) fn is_quiet(&self) -> bool {
        self.open == 0
    }

    /// Makes a request.
    pub(crate) fn request(&mut self, due: Instant) {
        let stream = 2 * self.requests.len() as u32 + 1;
        frame(&mut self.out, HEADERS, END_HEADERS | END_STREAM, stream, &self.block);
        if self.requests.is_empty() {
            self.block.clone_from(&self.later);
        }
        self.requests.push(Request { due, state: State::Waiting });
        self.open += 1;
    }

    /// Takes whole frames off what was read.
    pub(crate) fn receive(&mut self, bytes: &mut BytesMut) -> Result<(), Error> {
        let now = Instant::now();
        while let Some(header) = Header::parse(bytes) {
            if bytes.len() < FRAME_HEADER + header.length {
                break;
            }
            let payload = &bytes[FRAME_HEADER..FRAME_HEADER + header.length];
            match header.kind {
                DATA => self.data(&header, now),
                HEADERS => self.head(&header, payload, now),
                // Whatever its head says, the answer is not whole.
                RST_STREAM => _ = self.close(header.stream),
                SETTINGS if header.flags & ACK == 0 => self.settings(payload)?,
                PING if header.flags & ACK == 0 => frame(&mut self.out, PING, ACK, 0, payload),
                GOAWAY => return Err("the server has said GOAWAY".into()),
                _ => {}
            }
            bytes.advance(FRAME_HEADER + header.length);
        }
        Ok(())
    }

    fn data(&mut self, header: &Header, now: Instant) {
        self.owed += header.length as u32;
        if self.owed >= OWED {
            frame(&mut self.out, WINDOW_UPDATE, 0, 0, &self.owed.to_be_bytes());
            self.owed = 0;
        }
        if header.flags & END_STREAM != 0 {
            self.end(header.stream, now);
        }
    }

    fn head(&mut self, header: &Header, payload: &[u8], now: Instant) {
        let Some(request) = self.requests.get_mut(header.stream as usize / 2) else { return };
        if request.state == State::Waiting {
            let ok = status(header.flags, payload) == Some(STATUS_200);
            request.state = if ok { State::Good } else { State::Bad };
        }
        if header.flags & END_STREAM != 0 {
            self.end(header.stream, now);
        }
    }

    fn end(&mut self, stream: u32, now: Instant) {
        if let Some((due, State::Good)) = self.close(stream) {
            let time = now.saturating_duration_since(due);
            self.times.push(time.as_micros().try_into().unwrap_or(u32::MAX));
        }
    }

    /// Answers when the request of the stream was due, and in what state it was.
    fn close(&mut self, stream: u32) -> Option<(Instant, State)> {
        let request = self.requests.get_mut(stream as usize / 2)?;
        let state = std::mem::replace(&mut request.state, State::Over);
        self.open -= usize::from(state != State::Over);
        Some((request.due, state))
    }

    fn settings(&mut self, payload: &[u8]) -> Result<(), Error> {
        for setting in payload.chunks_exact(6) {
            let value = u32::from_be_bytes([setting[2], setting[3], setting[4], setting[5]]);
            match u16::from_be_bytes([setting[0], setting[1]]) {
                MAX_CONCURRENT_STREAMS => self.max_open = value as usize,
                HEADER_TABLE_SIZE if value < TABLE => {
                    return Err("the server's header table is too small".into());
                }
                _ => {}
            }
        }
        frame(&mut self.out, SETTINGS, ACK, 0, &[]);
        Ok(())
    }
}

impl Header {
    fn parse(bytes: &[u8]) -> Option<Self> {
        let [a, b, c, kind, flags, stream @ ..] = *bytes.first_chunk::<FRAME_HEADER>()?;
        let length = u32::from_be_bytes([0, a, b, c]) as usize;
        Some(Header { length, kind, flags, stream: u32::from_be_bytes(stream) & (u32::MAX >> 1) })
    }
}

/// The first field of a header block, which is the status: one byte when it is one of the static table. A change of the
/// dynamic table's size may precede it.
fn status(flags: u8, payload: &[u8]) -> Option<u8> {
    let before = usize::from(flags & PADDED != 0) + if flags & PRIORITY != 0 { 5 } else { 0 };
    let mut block = payload.get(before..)?.iter().copied();
    let first = block.next()?;
    match first {
        0x3f => block.skip_while(|byte| byte & 0x80 != 0).nth(1),
        0x20..0x3f => block.next(),
        _ => Some(first),
    }
}

fn literal(block: &mut Vec<u8>, name: u8, value: &str) {
    block.extend_from_slice(&[name, value.len() as u8]);
    block.extend_from_slice(value.as_bytes());
}

fn frame(out: &mut BytesMut, kind: u8, flags: u8, stream: u32, payload: &[u8]) {
    out.extend_from_slice(&(payload.len() as u32).to_be_bytes()[1..]);
    out.extend_from_slice(&[kind, flags]);
    out.extend_from_slice(&stream.to_be_bytes());
    out.extend_from_slice(payload);
}
