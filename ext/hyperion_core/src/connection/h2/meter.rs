//! Watches the frames that a peer sends, by their headers alone, for what `h2` does not limit: floods of frames that
//! cost work and carry nothing, and heads that never end.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use tokio::time::Instant;

use crate::limits::Rate;
use crate::writer::Meter;

/// What the meter has seen, read by the connection's task.
#[derive(Debug)]
pub(crate) struct Traffic {
    epoch: Instant,
    flooded: AtomicBool,
    /// Milliseconds after `epoch`, plus one, at which an unfinished head began; 0 without one.
    head_since: AtomicU64,
    data_sent: AtomicU32,
}

/// The client preface (RFC 9113, section 3.4) precedes the first frame.
const PREFACE_LENGTH: usize = 24;
const FRAME_HEADER_LENGTH: usize = 9;

const DATA: u8 = 0x0;
const HEADERS: u8 = 0x1;
const RST_STREAM: u8 = 0x3;
const SETTINGS: u8 = 0x4;
const PING: u8 = 0x6;
const CONTINUATION: u8 = 0x9;

const FLAG_ACK: u8 = 0x1;
const FLAG_END_HEADERS: u8 = 0x4;

/// SETTINGS frames: each is answered, and may re-size every stream. Peers send one or two.
const SETTINGS_RATE: (u32, u32) = (64, 1);
/// RST_STREAM frames: a browser that leaves a page resets all its streams at once, and then some.
const RESET_RATE: (u32, u32) = (1000, 100);
/// PING, PRIORITY, WINDOW_UPDATE and unknown frames. gRPC probes the bandwidth with PINGs while data flows.
const CONTROL_RATE: (u32, u32) = (4000, 200);
/// Control frames that one useful frame of the peer or of ours earns: a reader with a window of one byte
/// answers each DATA frame with two WINDOW_UPDATEs.
const CONTROL_EARNED: u32 = 4;

#[derive(Debug)]
pub(super) struct FrameMeter {
    traffic: Arc<Traffic>,
    header: [u8; FRAME_HEADER_LENGTH],
    header_length: usize,
    /// Bytes to pass over: the preface, then payloads.
    skip: usize,
    /// A header block is open: HEADERS without END_HEADERS came (RFC 9113, section 4.3).
    block_open: bool,
    settings: Rate,
    resets: Rate,
    control: Rate,
}

impl FrameMeter {
    pub(super) fn new(traffic: Arc<Traffic>) -> Self {
        let rate = |(burst, per_second)| Rate::new(burst, per_second);
        FrameMeter {
            traffic,
            header: [0; FRAME_HEADER_LENGTH],
            header_length: 0,
            skip: PREFACE_LENGTH,
            block_open: false,
            settings: rate(SETTINGS_RATE),
            resets: rate(RESET_RATE),
            control: rate(CONTROL_RATE),
        }
    }

    fn frame(&mut self) {
        let [high, middle, low, kind, flags, ..] = self.header;
        self.skip = usize::from(high) << 16 | usize::from(middle) << 8 | usize::from(low);
        let allowed = match kind {
            DATA => self.earn(1),
            HEADERS => {
                self.block_open = flags & FLAG_END_HEADERS == 0;
                self.earn(1)
            }
            CONTINUATION => {
                self.block_open = flags & FLAG_END_HEADERS == 0;
                true
            }
            RST_STREAM => self.resets.allow(1),
            SETTINGS if flags & FLAG_ACK == 0 => self.settings.allow(1),
            PING if flags & FLAG_ACK != 0 => true,
            _ => {
                let sent = self.traffic.data_sent.swap(0, Relaxed);
                self.earn(sent);
                self.control.allow(1)
            }
        };
        if !allowed {
            self.traffic.flooded.store(true, Relaxed);
        }
    }

    fn earn(&mut self, frames: u32) -> bool {
        self.control.earn(frames.saturating_mul(CONTROL_EARNED));
        true
    }
}

impl Meter for FrameMeter {
    fn inspect(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            if self.skip > 0 {
                let count = self.skip.min(bytes.len());
                self.skip -= count;
                bytes = &bytes[count..];
                continue;
            }
            let count = (FRAME_HEADER_LENGTH - self.header_length).min(bytes.len());
            self.header[self.header_length..][..count].copy_from_slice(&bytes[..count]);
            self.header_length += count;
            bytes = &bytes[count..];
            if self.header_length == FRAME_HEADER_LENGTH {
                self.header_length = 0;
                self.frame();
            }
        }
        let kind = self.header[3];
        let unfinished = self.skip > 0 && kind != DATA;
        self.traffic.set_head(unfinished || self.block_open || self.header_length > 0);
    }
}

impl Default for Traffic {
    fn default() -> Self {
        Traffic {
            epoch: Instant::now(),
            flooded: AtomicBool::new(false),
            head_since: AtomicU64::new(0),
            data_sent: AtomicU32::new(0),
        }
    }
}

impl Traffic {
    /// Whether the peer sent more control frames than any use of HTTP/2 explains.
    pub(super) fn flooded(&self) -> bool {
        self.flooded.load(Relaxed)
    }

    /// Since when a head, or any frame but DATA, has been incomplete.
    pub(super) fn head_since(&self) -> Option<Instant> {
        let since = self.head_since.load(Relaxed).checked_sub(1)?;
        Some(self.epoch + Duration::from_millis(since))
    }

    /// A DATA frame of ours, or a part of one, was written.
    pub(super) fn data_sent(&self) {
        self.data_sent.fetch_add(1, Relaxed);
    }

    fn set_head(&self, open: bool) {
        if !open {
            self.head_since.store(0, Relaxed);
        } else if self.head_since.load(Relaxed) == 0 {
            self.head_since.store(self.epoch.elapsed().as_millis() as u64 + 1, Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn meter() -> (Arc<Traffic>, FrameMeter) {
        let traffic = Arc::new(Traffic::default());
        let mut meter = FrameMeter::new(traffic.clone());
        meter.inspect(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
        (traffic, meter)
    }

    fn frame(kind: u8, flags: u8, payload: &[u8]) -> Vec<u8> {
        let mut frame = vec![0, 0, payload.len() as u8, kind, flags, 0, 0, 0, 1];
        frame.extend_from_slice(payload);
        frame
    }

    #[tokio::test(start_paused = true)]
    async fn floods_of_each_kind_are_noticed() {
        for (kind, burst) in [(SETTINGS, SETTINGS_RATE.0), (RST_STREAM, RESET_RATE.0), (PING, CONTROL_RATE.0)]
        {
            let (traffic, mut meter) = meter();
            for _ in 0..burst {
                meter.inspect(&frame(kind, 0, b"12345678"));
            }
            assert!(!traffic.flooded(), "kind {kind}");
            meter.inspect(&frame(kind, 0, b"12345678"));
            assert!(traffic.flooded(), "kind {kind}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn acknowledgements_and_answers_to_our_data_are_no_flood() {
        let (traffic, mut meter) = meter();
        for _ in 0..10_000 {
            meter.inspect(&frame(PING, FLAG_ACK, b"12345678"));
            traffic.data_sent();
            meter.inspect(&frame(8, 0, &[0, 0, 0, 1]));
            meter.inspect(&frame(8, 0, &[0, 0, 0, 1]));
        }
        assert!(!traffic.flooded());
    }

    #[tokio::test(start_paused = true)]
    async fn an_unfinished_head_is_timed_however_the_bytes_fall() {
        let (traffic, mut meter) = meter();
        for byte in frame(HEADERS, 0, b"abc") {
            meter.inspect(&[byte]);
        }
        assert!(traffic.head_since().is_some());
        meter.inspect(&frame(CONTINUATION, FLAG_END_HEADERS, b"d"));
        assert!(traffic.head_since().is_none());
        meter.inspect(&frame(DATA, 0, b"abcdef")[..12]);
        assert!(traffic.head_since().is_none(), "a body has a timeout of its own");
    }
}
