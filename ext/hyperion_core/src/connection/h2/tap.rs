//! Sees the frames that leave: what a client is told is noted here, whoever decided it, the `h2` crate included.

use std::sync::Arc;

use h2::Reason;

use super::Traffic;
use super::gate::{FLAG_ACK, FLAG_END_STREAM, FRAME_HEADER_LENGTH, HEADERS, PING, RST_STREAM};
use super::traffic::Note;
use crate::peer::Peer;
use crate::report::{Event, Level};
use crate::service::Context;
use crate::timing::Progress;

pub(super) struct Tap {
    server: Arc<Context>,
    peer: Arc<Peer>,
    traffic: Arc<Traffic>,
    /// A frame's header, and the error code that follows it in RST_STREAM.
    header: [u8; FRAME_HEADER_LENGTH + CODE_LENGTH],
    filled: usize,
    /// Bytes of payload to pass over.
    pass: usize,
    /// Bytes seen, and bytes written, while `timing` is to be told.
    seen: u64,
    written: u64,
    timing: Progress,
}

const CODE_LENGTH: usize = 4;

impl Tap {
    pub(super) fn new(
        server: Arc<Context>,
        peer: Arc<Peer>,
        traffic: Arc<Traffic>,
        timing: Progress,
    ) -> Self {
        let header = [0; FRAME_HEADER_LENGTH + CODE_LENGTH];
        Tap { server, peer, traffic, header, filled: 0, pass: 0, seen: 0, written: 0, timing }
    }

    /// The client's preface and SETTINGS were read.
    pub(super) fn opened(&mut self) {
        self.timing.open();
    }

    /// These bytes will be written next.
    pub(super) fn see(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            if self.pass > 0 {
                let passed = self.pass.min(bytes.len());
                self.pass -= passed;
                bytes = self.advance(bytes, passed);
                continue;
            }
            let wanted = if self.is_reset() { self.header.len() } else { FRAME_HEADER_LENGTH };
            let taken = (wanted - self.filled).min(bytes.len());
            self.header[self.filled..self.filled + taken].copy_from_slice(&bytes[..taken]);
            self.filled += taken;
            bytes = self.advance(bytes, taken);
            if self.filled == self.header.len() || (self.filled == FRAME_HEADER_LENGTH && !self.is_reset()) {
                self.filled = 0;
                self.frame();
            }
        }
    }

    /// So many of the bytes that were seen are written.
    pub(super) fn wrote(&mut self, count: usize) {
        if self.timing.is_done() {
            return;
        }
        self.written += count as u64;
        if let Some(stages) = self.timing.write(self.written) {
            let event = Event::FirstStream { peer: &self.peer.remote, stages };
            self.server.report(Level::Info, &event);
        }
    }

    fn frame(&mut self) {
        let [a, b, c, kind, flags, d, e, f, g, code @ ..] = self.header;
        let length = u32::from_be_bytes([0, a, b, c]) as usize;
        let stream_id = u32::from_be_bytes([d, e, f, g]);
        if kind == RST_STREAM {
            let reason = Reason::from(u32::from_be_bytes(code));
            if matches!(reason, Reason::REFUSED_STREAM | Reason::PROTOCOL_ERROR) {
                self.traffic.note(Note::Reset(stream_id, reason));
            }
            return;
        }
        self.pass = length;
        if kind == PING && flags & FLAG_ACK == 0 {
            self.traffic.ping_sent();
        }
        if kind == HEADERS {
            self.timing.encode(self.seen + length as u64);
            if flags & FLAG_END_STREAM != 0 && self.traffic.may_be_unknown(stream_id) {
                self.traffic.note(Note::Answer(stream_id));
            }
        }
    }

    fn is_reset(&self) -> bool {
        const KIND: usize = 3;
        self.filled > KIND && self.header[KIND] == RST_STREAM
    }

    fn advance<'a>(&mut self, bytes: &'a [u8], count: usize) -> &'a [u8] {
        self.seen += count as u64;
        &bytes[count..]
    }
}

impl std::fmt::Debug for Tap {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tap").field("timing", &self.timing).finish_non_exhaustive()
    }
}
