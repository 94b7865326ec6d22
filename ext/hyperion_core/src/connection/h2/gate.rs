//! Stands before the decoder: sees each frame that a peer sends, and lets through what the `h2` crate deals with as
//! RFC 9113 wants. What is left to the gate: floods of frames that cost work and carry nothing, heads that never end or
//! come in many parts, frames of a wrong size, and what [`super::fields`] finds.

use std::sync::Arc;

use h2::Reason;

use super::block::{self, Limits, Parts};
use super::ended::Ended;
use super::fields::{FieldScanner, Findings};
use super::tap::Tap;
use super::traffic::{CONTROL_EARNED, Malformed, Part, Traffic};
use crate::limits::Rate;
use crate::writer::Gate;

/// The client preface (RFC 9113, section 3.4) precedes the first frame.
const PREFACE_LENGTH: usize = 24;
pub(super) const FRAME_HEADER_LENGTH: usize = 9;

const DATA: u8 = 0x0;
pub(super) const HEADERS: u8 = 0x1;
const PRIORITY: u8 = 0x2;
pub(super) const RST_STREAM: u8 = 0x3;
const SETTINGS: u8 = 0x4;
pub(super) const PING: u8 = 0x6;
const GOAWAY: u8 = 0x7;
const WINDOW_UPDATE: u8 = 0x8;
pub(super) const CONTINUATION: u8 = 0x9;
/// A frame of it is discarded (RFC 9113, section 5.5).
pub(super) const UNASSIGNED: u8 = 0xff;

pub(super) const FLAG_ACK: u8 = 0x1;
pub(super) const FLAG_END_STREAM: u8 = 0x1;
pub(super) const FLAG_END_HEADERS: u8 = 0x4;
pub(super) const FLAG_PADDED: u8 = 0x8;
pub(super) const FLAG_PRIORITY: u8 = 0x20;

const SETTINGS_INITIAL_WINDOW_SIZE: u16 = 0x4;

/// SETTINGS frames: each is answered, and may re-size every stream. Peers send one or two.
const SETTINGS_RATE: (u32, u32) = (64, 1);
/// RST_STREAM frames: a browser that leaves a page resets all its streams at once, and then some. Each response that
/// has begun earns one more: the users of a proxy may leave their downloads, and nobody has us begin more than we
/// answer.
const RESET_RATE: (u32, u32) = (1000, 100);
/// PING, PRIORITY, WINDOW_UPDATE, unknown frames and DATA without any. gRPC probes the bandwidth with PINGs while data
/// flows.
const CONTROL_RATE: (u32, u32) = (4000, 200);
/// Malformed heads and trailers: each makes us reset a stream, which the peer's resets are limited for.
const MALFORMED_RATE: (u32, u32) = super::REJECTION_RATE;
/// Bytes of a control frame that count for another one.
const BYTES_OF_CONTROL: usize = 1024;
/// Control frames that may be earned in advance, as for what waits in the peer's window.
const MAX_CREDIT: u32 = 65_536;
/// A header block that is larger than this many times the largest header list is nothing but an attack: no coding
/// makes a string longer than that.
const BLOCK_FACTOR: usize = 4;
/// A frame of the least size that all peers may send.
const MIN_BLOCK: usize = 16 * 1024;
/// DATA frames with less than this are small: `h2` holds them against the peer until they are taken.
const SMALL_DATA: usize = 256;
/// Small DATA frames that are let in before the tasks that take them have their turn. Go's clients send a frame for each
/// write of the application, and thousands of them at once.
const SMALL_DATA_TURN: u32 = 1024;

#[derive(Debug)]
pub(super) struct FrameGate {
    traffic: Arc<Traffic>,
    /// Bytes to pass over: the preface, then payloads of DATA.
    pass: usize,
    first: bool,
    closed: bool,
    limits: Limits,
    /// The highest stream that was opened; HEADERS on another one are trailers.
    last_stream: u32,
    fields: FieldScanner,
    streams: Ended,
    settings: Rate,
    resets: Rate,
    control: Rate,
    /// Earned, and used before `control` is.
    credit: u32,
    malformed: Rate,
    /// Small DATA frames of this turn.
    small: u32,
    tap: Option<Tap>,
}

#[derive(Debug)]
pub(super) struct Header {
    pub(super) length: usize,
    pub(super) kind: u8,
    pub(super) flags: u8,
    pub(super) stream_id: u32,
}

impl FrameGate {
    pub(super) fn new(traffic: Arc<Traffic>, max_frame_size: u32, max_header_list_size: u32) -> Self {
        let rate = |(burst, per_second)| Rate::new(burst, per_second);
        FrameGate {
            traffic,
            pass: PREFACE_LENGTH,
            first: true,
            closed: false,
            limits: Limits {
                frame: max_frame_size as usize,
                block: (max_header_list_size as usize).saturating_mul(BLOCK_FACTOR).max(MIN_BLOCK),
            },
            last_stream: 0,
            fields: FieldScanner::default(),
            streams: Ended::default(),
            settings: rate(SETTINGS_RATE),
            resets: rate(RESET_RATE),
            control: rate(CONTROL_RATE),
            credit: 0,
            malformed: rate(MALFORMED_RATE),
            small: 0,
            tap: None,
        }
    }

    /// Lets `tap` see what leaves.
    pub(super) fn with_tap(mut self, tap: Tap) -> Self {
        self.tap = Some(tap);
        self
    }

    /// Counts a frame; for DATA its payload is still to come.
    fn header(&mut self, header: &Header) -> Result<(), Reason> {
        let Header { kind, flags, stream_id, .. } = *header;
        if std::mem::take(&mut self.first) && (kind != SETTINGS || flags & FLAG_ACK != 0) {
            return Err(Reason::PROTOCOL_ERROR);
        }
        let allowed = match kind {
            DATA if self.is_void(header) => self.spend(1),
            DATA | HEADERS => {
                self.earn(CONTROL_EARNED);
                self.follow(header)?;
                true
            }
            CONTINUATION => true,
            RST_STREAM if self.streams.reset(stream_id) => {
                self.traffic.reset(stream_id);
                self.resets.earn(self.traffic.take_answers());
                self.resets.allow(1)
            }
            SETTINGS if flags & FLAG_ACK == 0 => self.settings.allow(header.cost()),
            _ => self.spend(header.cost()),
        };
        if allowed { Ok(()) } else { Err(Reason::ENHANCE_YOUR_CALM) }
    }

    fn earn(&mut self, frames: u32) {
        self.credit = self.credit.saturating_add(frames).min(MAX_CREDIT);
    }

    /// Counts control frames; false when they are too many.
    fn spend(&mut self, frames: u32) -> bool {
        self.earn(self.traffic.take_earned());
        let paid = frames.min(self.credit);
        self.credit -= paid;
        self.control.allow(frames - paid)
    }

    /// RFC 9113, section 5.1: nothing but control frames follows the end of a stream.
    fn follow(&mut self, header: &Header) -> Result<(), Reason> {
        let end_stream = header.flags & FLAG_END_STREAM != 0;
        if header.kind == HEADERS && header.stream_id > self.last_stream {
            self.streams.open(header.stream_id, end_stream);
            self.traffic.opened(header.stream_id);
        } else if !self.streams.receive(header.stream_id, end_stream)
            || (header.kind == HEADERS && self.streams.was_reset(header.stream_id))
        {
            return Err(Reason::STREAM_CLOSED);
        }
        Ok(())
    }

    /// DATA that says nothing, not even that it is the last. The `h2` crate bears only a hundred of them over the life of
    /// a connection, so it gets to see none.
    fn is_void(&self, header: &Header) -> bool {
        header.kind == DATA
            && header.length == 0
            && header.flags & (FLAG_END_STREAM | FLAG_PADDED) == 0
            && self.streams.is_receiving(header.stream_id)
    }

    fn payload(&mut self, header: &Header, payload: &mut [u8]) -> Result<(), Reason> {
        if let (SETTINGS, Some(tap)) = (header.kind, &mut self.tap) {
            tap.opened();
        }
        match header.kind {
            HEADERS => {
                // Padding that does not fit is the decoder's affair.
                let Some(fragment) = block::fragment(header.flags, payload) else { return Ok(()) };
                return self.block(header.stream_id, &mut payload[fragment]);
            }
            SETTINGS if windows(payload).any(|size| size > crate::config::MAX_WINDOW_SIZE) => {
                return Err(Reason::FLOW_CONTROL_ERROR);
            }
            _ => {}
        }
        Ok(())
    }

    /// A header block in several frames.
    fn parts(&mut self, stream_id: u32, frames: &mut [u8]) -> Result<(), Reason> {
        let parts = Parts::new(frames)?;
        let mut block = parts.gather(frames);
        self.block(stream_id, &mut block)?;
        parts.replace(frames, &block, self.limits);
        Ok(())
    }

    fn block(&mut self, stream_id: u32, block: &mut [u8]) -> Result<(), Reason> {
        let is_head = stream_id > self.last_stream;
        self.last_stream = self.last_stream.max(stream_id);
        let findings = self.fields.scan(block);
        self.judge(stream_id, is_head, findings)
    }

    /// RFC 9113, section 4.3: a block that cannot be decoded ends the connection; section 8.1: trailers have no
    /// pseudo-headers.
    fn judge(&mut self, stream_id: u32, is_head: bool, findings: Findings) -> Result<(), Reason> {
        if findings.undecodable {
            return Err(Reason::COMPRESSION_ERROR);
        }
        let malformed = findings.malformed || (!is_head && findings.pseudo);
        let part = match (malformed, is_head) {
            (true, true) if findings.bad_pseudo || findings.bad_target => Part::Pseudo,
            (true, true) => Part::Fields,
            (true, false) => Part::Trailers,
            (false, _) if findings.bad_target => Part::Target,
            (false, _) => return Ok(()),
        };
        let bearable = self.traffic.add_malformed(Malformed { stream_id, part });
        // A bad target is answered, and costs what any small request does.
        if bearable && (part == Part::Target || self.malformed.allow(1)) {
            Ok(())
        } else {
            Err(Reason::ENHANCE_YOUR_CALM)
        }
    }

    /// Looks at whole frames, and says how many bytes they are. Only DATA passes in parts.
    fn frames(&mut self, bytes: &mut [u8]) -> Result<usize, (usize, Reason)> {
        let mut at = 0;
        loop {
            let passed = self.pass.min(bytes.len() - at);
            self.pass -= passed;
            at += passed;
            let Some(header) = Header::parse(&bytes[at..]) else { return Ok(at) };
            // At once: what is too long is not waited for.
            if header.length > self.limits.frame || !header.has_valid_length() {
                return Err((at, Reason::FRAME_SIZE_ERROR));
            }
            if header.kind == HEADERS && header.length > self.limits.block {
                return Err((at, Reason::ENHANCE_YOUR_CALM));
            }
            let Some(length) = self.frame(&header, &mut bytes[at..]).map_err(|reason| (at, reason))? else {
                return Ok(at);
            };
            at += length;
        }
    }

    /// Looks at a frame, or the frames of a block, that `bytes` begin with, and says how many of them may pass; none
    /// before all of it is there.
    fn frame(&mut self, header: &Header, bytes: &mut [u8]) -> Result<Option<usize>, Reason> {
        let end = FRAME_HEADER_LENGTH + header.length;
        if header.kind == DATA {
            if self.is_void(header) {
                Header { kind: UNASSIGNED, ..*header }.write(bytes);
            }
            self.header(header)?;
            self.small += u32::from(header.length < SMALL_DATA);
            self.pass = header.length;
            Ok(Some(FRAME_HEADER_LENGTH))
        } else if header.kind == HEADERS && header.flags & FLAG_END_HEADERS == 0 {
            let Some(end) = self.limits.measure(bytes)? else { return Ok(None) };
            self.header(header)?;
            self.parts(header.stream_id, &mut bytes[..end])?;
            Ok(Some(end))
        } else if end <= bytes.len() {
            self.header(header)?;
            self.payload(header, &mut bytes[FRAME_HEADER_LENGTH..end])?;
            Ok(Some(end))
        } else {
            Ok(None)
        }
    }
}

impl Gate for FrameGate {
    fn admit(&mut self, bytes: &mut [u8]) -> usize {
        let admitted = self.frames(bytes).unwrap_or_else(|(admitted, reason)| {
            self.closed = true;
            self.traffic.violate(reason);
            admitted
        });
        if admitted == bytes.len() {
            self.traffic.end_head();
        } else {
            // The frames before it are whole: the one that is not has only begun.
            self.traffic.begin_head(admitted > 0);
        }
        admitted
    }

    fn is_closed(&self) -> bool {
        self.closed
    }

    fn ends_turn(&mut self) -> bool {
        let ends = self.small >= SMALL_DATA_TURN;
        if ends {
            self.small = 0;
        }
        ends
    }

    fn gathered(&mut self, bytes: &[u8]) {
        if let Some(tap) = &mut self.tap {
            tap.see(bytes);
        }
    }

    fn written(&mut self, count: usize) {
        if let Some(tap) = &mut self.tap {
            tap.wrote(count);
        }
    }
}

impl Header {
    pub(super) fn parse(bytes: &[u8]) -> Option<Self> {
        let [a, b, c, kind, flags, stream_id @ ..] = *bytes.first_chunk::<FRAME_HEADER_LENGTH>()?;
        let length = u32::from_be_bytes([0, a, b, c]) as usize;
        // The highest bit is reserved (RFC 9113, section 4.1).
        Some(Header { length, kind, flags, stream_id: u32::from_be_bytes(stream_id) & (u32::MAX >> 1) })
    }

    /// To the first bytes of `frame`.
    pub(super) fn write(&self, frame: &mut [u8]) {
        frame[..3].copy_from_slice(&(self.length as u32).to_be_bytes()[1..]);
        frame[3..5].copy_from_slice(&[self.kind, self.flags]);
        frame[5..FRAME_HEADER_LENGTH].copy_from_slice(&self.stream_id.to_be_bytes());
    }

    /// Control frames that this one counts for: a large one, of a kind that we do not know, passes through as much
    /// memory as DATA without any window.
    fn cost(&self) -> u32 {
        1 + (self.length / BYTES_OF_CONTROL) as u32
    }

    /// RFC 9113, sections 6.3 to 6.9.
    fn has_valid_length(&self) -> bool {
        match self.kind {
            PRIORITY => self.length == 5,
            RST_STREAM | WINDOW_UPDATE => self.length == 4,
            SETTINGS if self.flags & FLAG_ACK != 0 => self.length == 0,
            SETTINGS => self.length % 6 == 0,
            PING => self.length == 8,
            GOAWAY => self.length >= 8,
            _ => true,
        }
    }
}

/// The values that a SETTINGS payload gives to the initial window size.
fn windows(payload: &[u8]) -> impl Iterator<Item = u32> {
    let is_window = |pair: &&[u8]| u16::from_be_bytes([pair[0], pair[1]]) == SETTINGS_INITIAL_WINDOW_SIZE;
    let value = |pair: &[u8]| u32::from_be_bytes([pair[2], pair[3], pair[4], pair[5]]);
    payload.chunks_exact(6).filter(is_window).map(value)
}

#[cfg(test)]
mod tests;
