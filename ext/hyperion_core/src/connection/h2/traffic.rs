//! What the gate has seen, for the tasks of the connection.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering::Relaxed};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use h2::Reason;
use tokio::time::Instant;

use super::outflow::Outflow;
use crate::stream::Pulse;

#[derive(Debug)]
pub(crate) struct Traffic {
    epoch: Instant,
    /// The error that the peer committed, which ends the connection; 0 for none.
    violation: AtomicU32,
    /// Milliseconds after `epoch`, plus one, at which an unfinished head began; 0 without one.
    head_since: AtomicU64,
    /// Control frames that our DATA has earned the peer.
    earned: AtomicU32,
    /// Responses that were begun, and have earned the peer nothing yet.
    answers: AtomicU32,
    pub(crate) outflow: Outflow,
    /// A bit for each of the last streams that the peer has reset, by [`mark`].
    resets: AtomicU64,
    /// Whether `malformed` has entries: what is looked at for each request.
    any_malformed: AtomicBool,
    malformed: Mutex<Vec<Malformed>>,
    /// Streams whose rejection was reported already, before they are reset.
    reported: Mutex<VecDeque<u32>>,
    /// The least stream that may still come to the driver.
    next: AtomicU32,
    /// Whether some before it never came.
    any_gaps: AtomicBool,
    any_notes: AtomicBool,
    notes: Mutex<Vec<Note>>,
}

/// A frame that was sent, for [`super::refusals`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Note {
    /// HEADERS that end a stream, which the driver may not know.
    Answer(u32),
    /// RST_STREAM of a request that is malformed, or beyond a cap.
    Reset(u32, Reason),
}

/// A stream that has to be reset for its head, or for its trailers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Malformed {
    pub(super) stream_id: u32,
    pub(super) part: Part,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    /// Fields, behind a method and a target that are none the worse for it.
    Fields,
    /// A pseudo-header, so that the method or the target is not what was sent.
    Pseudo,
    /// The target or authority of the head, and nothing else.
    Target,
    Trailers,
}

/// Control frames that one useful frame of the peer or of ours earns: a reader with a window of one byte
/// answers each DATA frame with two WINDOW_UPDATEs.
pub(super) const CONTROL_EARNED: u32 = 4;
/// Bytes of our DATA that earn another one: Go's client answers every 4 KiB with two.
const BYTES_FOR_CONTROL: usize = 1024;
/// Malformed parts that may wait for their streams to be dealt with, before the peer is sent away.
const MAX_MALFORMED: usize = 1024;
/// Reports that are remembered until their resets are written. One that is forgotten is made again, in other words.
const MAX_REPORTED: usize = 128;
/// The first stream that a client may open.
pub(super) const FIRST_STREAM: u32 = 1;

impl Default for Traffic {
    fn default() -> Self {
        Traffic {
            epoch: Instant::now(),
            violation: AtomicU32::new(0),
            head_since: AtomicU64::new(0),
            earned: AtomicU32::new(0),
            answers: AtomicU32::new(0),
            outflow: Outflow::default(),
            resets: AtomicU64::new(0),
            any_malformed: AtomicBool::new(false),
            malformed: Mutex::default(),
            reported: Mutex::default(),
            next: AtomicU32::new(FIRST_STREAM),
            any_gaps: AtomicBool::new(false),
            any_notes: AtomicBool::new(false),
            notes: Mutex::default(),
        }
    }
}

impl Pulse for Traffic {
    fn moved_at(&self) -> Instant {
        self.outflow.moved_at()
    }
}

impl Traffic {
    /// The connection error that the peer has to be told.
    pub(super) fn violation(&self) -> Option<Reason> {
        match self.violation.load(Relaxed) {
            0 => None,
            code => Some(code.into()),
        }
    }

    pub(super) fn violate(&self, reason: Reason) {
        self.violation.store(reason.into(), Relaxed);
    }

    /// Since when a head, or any frame but DATA, has been incomplete.
    pub(super) fn head_since(&self) -> Option<Instant> {
        let since = self.head_since.load(Relaxed).checked_sub(1)?;
        Some(self.epoch + Duration::from_millis(since))
    }

    pub(super) fn end_head(&self) {
        self.head_since.store(0, Relaxed);
    }

    /// A head is incomplete: a new one, or the one that was before.
    pub(super) fn begin_head(&self, is_new: bool) {
        if is_new || self.head_since.load(Relaxed) == 0 {
            self.head_since.store(self.epoch.elapsed().as_millis() as u64 + 1, Relaxed);
        }
    }

    /// A DATA frame of ours, or a part of one, was written.
    pub(super) fn data_sent(&self, bytes: usize) {
        let earned = CONTROL_EARNED + (bytes / BYTES_FOR_CONTROL) as u32;
        self.earned.fetch_add(earned, Relaxed);
    }

    /// A PING of ours, which the peer has to answer, will be written.
    pub(super) fn ping_sent(&self) {
        self.earned.fetch_add(1, Relaxed);
    }

    /// The control frames that were earned since the last call.
    pub(super) fn take_earned(&self) -> u32 {
        self.earned.swap(0, Relaxed)
    }

    /// The rejection of this stream was reported.
    pub(super) fn reported(&self, stream_id: u32) {
        let mut reported = self.reported.lock().unwrap_or_else(PoisonError::into_inner);
        if reported.len() == MAX_REPORTED {
            reported.pop_front();
        }
        reported.push_back(stream_id);
    }

    /// Whether it was, asked when the reset is written.
    pub(super) fn was_reported(&self, stream_id: u32) -> bool {
        let mut reported = self.reported.lock().unwrap_or_else(PoisonError::into_inner);
        let position = reported.iter().position(|&other| other == stream_id);
        position.is_some_and(|position| reported.remove(position).is_some())
    }

    /// A response was begun.
    pub(super) fn answered(&self) {
        self.answers.fetch_add(1, Relaxed);
    }

    /// The responses that were begun since the last call.
    pub(super) fn take_answers(&self) -> u32 {
        self.answers.swap(0, Relaxed)
    }

    /// The peer opens a stream. What is known of an earlier one with the same mark ends here.
    pub(super) fn opened(&self, stream_id: u32) {
        if self.resets.load(Relaxed) & mark(stream_id) != 0 {
            self.resets.fetch_and(!mark(stream_id), Relaxed);
        }
    }

    /// The peer resets a stream.
    pub(super) fn reset(&self, stream_id: u32) {
        self.resets.fetch_or(mark(stream_id), Relaxed);
    }

    /// The connection is over, and all its streams.
    pub(super) fn closed(&self) {
        self.resets.store(u64::MAX, Relaxed);
    }

    /// Whether the peer may have reset this stream, or is gone: a hint that takes no lock, while asking the `h2` crate
    /// takes that of the connection.
    pub(super) fn may_be_reset(&self, stream_id: u32) -> bool {
        self.resets.load(Relaxed) & mark(stream_id) != 0
    }

    /// Remembers a malformed part until it is asked for; false when there are too many.
    pub(super) fn add_malformed(&self, malformed: Malformed) -> bool {
        let mut all = self.malformed.lock().unwrap_or_else(PoisonError::into_inner);
        all.push(malformed);
        self.any_malformed.store(true, Relaxed);
        all.len() <= MAX_MALFORMED
    }

    /// What was malformed of the head of this stream. Heads are asked for in the order in which they came, so that
    /// earlier ones belong to streams which the `h2` crate has refused by itself.
    pub(super) fn head_flaw(&self, stream_id: u32) -> Option<Part> {
        self.take_malformed(|flaw| match flaw.part {
            Part::Trailers => Found::Other,
            _ if flaw.stream_id == stream_id => Found::Wanted,
            _ if flaw.stream_id < stream_id => Found::Stale,
            _ => Found::Other,
        })
    }

    /// Whether the trailers of this stream were malformed.
    pub(super) fn has_bad_trailers(&self, stream_id: u32) -> bool {
        let wanted = Malformed { stream_id, part: Part::Trailers };
        self.take_malformed(|flaw| if *flaw == wanted { Found::Wanted } else { Found::Other }).is_some()
    }

    fn take_malformed(&self, judge: impl Fn(&Malformed) -> Found) -> Option<Part> {
        if !self.any_malformed.load(Relaxed) {
            return None;
        }
        let mut all = self.malformed.lock().unwrap_or_else(PoisonError::into_inner);
        let found = all.iter().find(|flaw| judge(flaw) == Found::Wanted).map(|flaw| flaw.part);
        all.retain(|flaw| judge(flaw) == Found::Other);
        self.any_malformed.store(!all.is_empty(), Relaxed);
        found
    }

    /// The driver has seen all streams before `next` that it ever will, and not all that there are numbers for if there
    /// are gaps.
    pub(super) fn accepted(&self, next: u32, any_gaps: bool) {
        self.next.store(next, Relaxed);
        self.any_gaps.store(any_gaps, Relaxed);
    }

    /// Whether the driver may not know this stream.
    pub(super) fn may_be_unknown(&self, stream_id: u32) -> bool {
        stream_id >= self.next.load(Relaxed) || self.any_gaps.load(Relaxed)
    }

    /// Remembers a frame until [`Traffic::take_notes`].
    pub(super) fn note(&self, note: Note) {
        self.notes.lock().unwrap_or_else(PoisonError::into_inner).push(note);
        self.any_notes.store(true, Relaxed);
    }

    /// What was noted since the last call.
    pub(super) fn take_notes(&self) -> Vec<Note> {
        if !self.any_notes.load(Relaxed) {
            return Vec::new();
        }
        self.any_notes.store(false, Relaxed);
        std::mem::take(&mut *self.notes.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// What a malformed part is to who asks for one.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Found {
    Wanted,
    /// Nobody will ask for it.
    Stale,
    Other,
}

/// A peer's streams have odd numbers.
fn mark(stream_id: u32) -> u64 {
    1 << (stream_id / 2 % u64::BITS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_reset_is_known_until_the_mark_is_used_again() {
        let traffic = Traffic::default();
        traffic.reset(3);
        assert!(traffic.may_be_reset(3) && !traffic.may_be_reset(5));
        traffic.opened(131);
        assert!(!traffic.may_be_reset(131));
        traffic.closed();
        assert!(traffic.may_be_reset(131));
    }

    #[tokio::test]
    async fn each_malformed_part_is_found_once() {
        let traffic = Traffic::default();
        let parts = [(1, Part::Fields), (3, Part::Trailers), (5, Part::Pseudo), (5, Part::Trailers)];
        for (stream_id, part) in parts {
            assert!(traffic.add_malformed(Malformed { stream_id, part }));
        }
        assert_eq!(traffic.head_flaw(3), None, "and 1 was refused before");
        assert_eq!(traffic.head_flaw(1), None);
        assert_eq!(traffic.head_flaw(5), Some(Part::Pseudo));
        assert_eq!(traffic.head_flaw(5), None);
        assert!(traffic.has_bad_trailers(3));
        assert!(traffic.has_bad_trailers(5));
        assert!(!traffic.any_malformed.load(Relaxed));
    }
}
