//! What the client sends, one message at a time: the next head is shown to the parser only when the response to the
//! request before it has been written. Until then everything about a connection belongs to one request.

use bytes::{Buf, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::time::Instant;

use super::chunked::ChunkScanner;
use super::head::{Framing, HeadScanner};
use super::refusal::Refusal;
use crate::request::Asked;

/// Bytes read at once while a head is awaited: most fit, and an idle connection holds no more.
const HEAD_READ: usize = 2 * 1024;
/// Bytes read at once while a body comes.
const BODY_READ: usize = 64 * 1024;
/// Bytes read ahead of a response, to notice that the client is gone.
const READ_AHEAD: usize = 16 * 1024;

#[derive(Debug)]
pub(super) struct Inlet {
    /// Read, and not passed on yet. The first `ready` bytes may pass.
    buffer: BytesMut,
    ready: usize,
    /// It has room for more than an idle connection should hold.
    is_large: bool,
    stage: Stage,
    refusal: Option<Refusal>,
    eof: bool,
    max_fields_size: usize,
}

#[derive(Debug)]
enum Stage {
    Head {
        scanner: HeadScanner,
        /// Since when a head is awaited.
        idle_since: Instant,
        /// Since when a part of one is there.
        since: Option<Instant>,
    },
    Length(u64),
    Chunked(ChunkScanner),
    /// The request is complete; its response is not.
    Boundary,
}

/// What the next read has to do.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// Some bytes may pass.
    Pass,
    /// So many bytes are to be read first.
    Read(usize),
    /// Nothing will pass any more.
    Refused,
}

/// What the client has to send for the connection to go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Awaited {
    /// A request, since then.
    Request(Instant),
    /// The rest of a head, since then.
    Head(Instant),
    /// A body, or nothing: others keep the time.
    Other,
}

impl Inlet {
    /// `first` was read already.
    pub(super) fn new(first: BytesMut, max_fields_size: usize) -> Self {
        Inlet {
            buffer: first,
            ready: 0,
            is_large: false,
            stage: Stage::head(max_fields_size),
            refusal: None,
            eof: false,
            max_fields_size,
        }
    }

    /// The parser wants to read.
    pub(super) fn step(&mut self) -> Step {
        if self.ready > 0 {
            return Step::Pass;
        }
        if self.refusal.is_some() {
            return Step::Refused;
        }
        if let Stage::Boundary = self.stage {
            // It has written the response: it would not ask otherwise.
            self.stage = Stage::head(self.max_fields_size);
            if self.buffer.is_empty() && std::mem::take(&mut self.is_large) {
                self.buffer = BytesMut::new();
            }
        }
        match self.look() {
            Ok(()) if self.ready > 0 => Step::Pass,
            Ok(()) => Step::Read(if self.is_in_head() { HEAD_READ } else { BODY_READ }),
            Err(refusal) => {
                self.refusal = Some(refusal);
                Step::Refused
            }
        }
    }

    /// Finds what may pass of what is there.
    fn look(&mut self) -> Result<(), Refusal> {
        match &mut self.stage {
            Stage::Head { .. } | Stage::Boundary if self.buffer.is_empty() => {}
            Stage::Head { scanner, since, .. } => match scanner.scan(&self.buffer)? {
                None => {
                    since.get_or_insert_with(Instant::now);
                }
                Some((length, framing)) => {
                    self.ready = length;
                    self.stage = match framing {
                        Framing::Empty => Stage::Boundary,
                        Framing::Length(length) => Stage::Length(length),
                        Framing::Chunked => Stage::Chunked(ChunkScanner::default()),
                    };
                }
            },
            Stage::Length(left) => {
                self.ready = usize::try_from(*left).unwrap_or(usize::MAX).min(self.buffer.len());
                *left -= self.ready as u64;
                if *left == 0 {
                    self.stage = Stage::Boundary;
                }
            }
            Stage::Chunked(scanner) => {
                self.ready = scanner.scan(&self.buffer)?;
                if scanner.is_done() {
                    self.stage = Stage::Boundary;
                }
            }
            Stage::Boundary => {}
        }
        Ok(())
    }

    /// What may pass now.
    pub(super) fn ready(&self) -> &[u8] {
        &self.buffer[..self.ready]
    }

    pub(super) fn pass(&mut self, count: usize) {
        self.buffer.advance(count);
        self.ready -= count;
    }

    /// Reads into the buffer; 0 at the end.
    pub(super) async fn read(
        &mut self,
        io: &mut (impl AsyncRead + Unpin),
        room: usize,
    ) -> std::io::Result<usize> {
        self.is_large |= room > HEAD_READ;
        self.buffer.reserve(room);
        let count = io.read_buf(&mut self.buffer).await?;
        self.eof |= count == 0;
        Ok(count)
    }

    /// Whether it makes sense to read ahead while a response is awaited.
    pub(super) fn may_read_ahead(&self) -> bool {
        matches!(self.stage, Stage::Boundary) && !self.eof && self.buffer.len() < READ_AHEAD
    }

    pub(super) fn awaited(&self) -> Awaited {
        match self.stage {
            Stage::Head { since: Some(since), .. } => Awaited::Head(since),
            Stage::Head { idle_since, .. } => Awaited::Request(idle_since),
            _ => Awaited::Other,
        }
    }

    /// Whether no request is there, not even in part.
    pub(super) fn is_idle(&self) -> bool {
        matches!(self.awaited(), Awaited::Request(_))
    }

    pub(super) fn is_in_head(&self) -> bool {
        matches!(self.stage, Stage::Head { .. })
    }

    /// What the head asks for that is there, or a part of which; to be asked before it passes.
    pub(super) fn asked(&self) -> Asked {
        Asked::by_line(&self.buffer)
    }

    /// Since when a part of a head is there.
    pub(super) fn head_since(&self) -> Instant {
        match self.stage {
            Stage::Head { since: Some(since), .. } => since,
            _ => Instant::now(),
        }
    }

    pub(super) fn refusal(&self) -> Option<Refusal> {
        self.refusal
    }

    /// Whether the client has ended its half of the connection.
    pub(super) fn is_at_eof(&self) -> bool {
        self.eof
    }

    /// What was read and did not pass.
    pub(super) fn into_rest(self) -> BytesMut {
        self.buffer
    }
}

impl Stage {
    fn head(max_fields_size: usize) -> Self {
        Stage::Head { scanner: HeadScanner::new(max_fields_size), idle_since: Instant::now(), since: None }
    }
}
