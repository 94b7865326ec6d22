//! HTTP/2 frames (RFC 9113, section 4.1), written and read by hand.

use std::io;

use tokio::io::{AsyncRead, AsyncReadExt};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Kind(pub u8);

impl Kind {
    pub const DATA: Kind = Kind(0x0);
    pub const HEADERS: Kind = Kind(0x1);
    pub const PRIORITY: Kind = Kind(0x2);
    pub const RST_STREAM: Kind = Kind(0x3);
    pub const SETTINGS: Kind = Kind(0x4);
    pub const PUSH_PROMISE: Kind = Kind(0x5);
    pub const PING: Kind = Kind(0x6);
    pub const GOAWAY: Kind = Kind(0x7);
    pub const WINDOW_UPDATE: Kind = Kind(0x8);
    pub const CONTINUATION: Kind = Kind(0x9);
}

/// Error codes (RFC 9113, section 7).
pub mod reason {
    pub const NO_ERROR: u32 = 0x0;
    pub const PROTOCOL_ERROR: u32 = 0x1;
    pub const INTERNAL_ERROR: u32 = 0x2;
    pub const FLOW_CONTROL_ERROR: u32 = 0x3;
    pub const STREAM_CLOSED: u32 = 0x5;
    pub const FRAME_SIZE_ERROR: u32 = 0x6;
    pub const REFUSED_STREAM: u32 = 0x7;
    pub const CANCEL: u32 = 0x8;
    pub const COMPRESSION_ERROR: u32 = 0x9;
    pub const ENHANCE_YOUR_CALM: u32 = 0xb;
}

pub const ACK: u8 = 0x1;
pub const END_STREAM: u8 = 0x1;
pub const END_HEADERS: u8 = 0x4;
pub const PADDED: u8 = 0x8;
pub const PRIORITY: u8 = 0x20;

pub const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    pub kind: Kind,
    pub flags: u8,
    pub stream: u32,
    pub payload: Vec<u8>,
}

impl Frame {
    pub fn new(kind: Kind, flags: u8, stream: u32, payload: impl Into<Vec<u8>>) -> Self {
        Frame { kind, flags, stream, payload: payload.into() }
    }

    pub fn data(stream: u32, payload: impl Into<Vec<u8>>) -> Self {
        Frame::new(Kind::DATA, 0, stream, payload)
    }

    /// HEADERS with END_HEADERS.
    pub fn headers(stream: u32, block: impl Into<Vec<u8>>) -> Self {
        Frame::new(Kind::HEADERS, END_HEADERS, stream, block)
    }

    pub fn settings(settings: &[(u16, u32)]) -> Self {
        let bytes = |&(id, value): &(u16, u32)| [&id.to_be_bytes()[..], &value.to_be_bytes()].concat();
        Frame::new(Kind::SETTINGS, 0, 0, settings.iter().flat_map(bytes).collect::<Vec<_>>())
    }

    pub fn settings_ack() -> Self {
        Frame::new(Kind::SETTINGS, ACK, 0, [])
    }

    pub fn window_update(stream: u32, increment: u32) -> Self {
        Frame::new(Kind::WINDOW_UPDATE, 0, stream, increment.to_be_bytes())
    }

    pub fn reset(stream: u32, reason: u32) -> Self {
        Frame::new(Kind::RST_STREAM, 0, stream, reason.to_be_bytes())
    }

    pub fn ping(payload: [u8; 8]) -> Self {
        Frame::new(Kind::PING, 0, 0, payload)
    }

    pub fn priority(stream: u32, depends_on: u32) -> Self {
        Frame::new(Kind::PRIORITY, 0, stream, [&depends_on.to_be_bytes()[..], &[15]].concat())
    }

    /// Adds END_STREAM.
    pub fn end(mut self) -> Self {
        self.flags |= END_STREAM;
        self
    }

    pub fn flags(mut self, flags: u8) -> Self {
        self.flags = flags;
        self
    }

    pub fn is_end(&self) -> bool {
        matches!(self.kind, Kind::DATA | Kind::HEADERS) && self.flags & END_STREAM != 0
    }

    pub fn is_ack(&self) -> bool {
        matches!(self.kind, Kind::SETTINGS | Kind::PING) && self.flags & ACK != 0
    }

    /// The error code of RST_STREAM or GOAWAY.
    pub fn reason(&self) -> u32 {
        match self.kind {
            Kind::RST_STREAM => self.word(0),
            Kind::GOAWAY => self.word(4),
            kind => panic!("{kind:?} has no error code"),
        }
    }

    /// The last stream of GOAWAY.
    pub fn last_stream(&self) -> u32 {
        assert_eq!(self.kind, Kind::GOAWAY);
        self.word(0)
    }

    /// The increment of WINDOW_UPDATE.
    pub fn increment(&self) -> u32 {
        assert_eq!(self.kind, Kind::WINDOW_UPDATE);
        self.word(0)
    }

    /// The pairs of SETTINGS.
    pub fn pairs(&self) -> Vec<(u16, u32)> {
        let pair = |pair: &[u8]| {
            (u16::from_be_bytes([pair[0], pair[1]]), u32::from_be_bytes([pair[2], pair[3], pair[4], pair[5]]))
        };
        self.payload.chunks_exact(6).map(pair).collect()
    }

    fn word(&self, at: usize) -> u32 {
        u32::from_be_bytes(self.payload[at..at + 4].try_into().unwrap())
    }

    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = (self.payload.len() as u32).to_be_bytes()[1..].to_vec();
        bytes.extend([self.kind.0, self.flags]);
        bytes.extend(self.stream.to_be_bytes());
        bytes.extend(&self.payload);
        bytes
    }

    /// The next frame, `None` at the end of the connection.
    pub async fn read(io: &mut (impl AsyncRead + Unpin)) -> io::Result<Option<Frame>> {
        let mut header = [0; 9];
        match io.read_exact(&mut header).await {
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
            read => read?,
        };
        let [a, b, c, kind, flags, s @ ..] = header;
        let mut payload = vec![0; u32::from_be_bytes([0, a, b, c]) as usize];
        io.read_exact(&mut payload).await?;
        Ok(Some(Frame { kind: Kind(kind), flags, stream: u32::from_be_bytes(s) & !(1 << 31), payload }))
    }
}
