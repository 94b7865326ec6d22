//! Requests that no exchange is made for: found malformed, turned away, or reset by the `h2` crate, which says so to
//! nobody but the client. Each is counted when the frame that tells the client so is sent, and has its line in the
//! access log.

use std::collections::VecDeque;
use std::time::Instant;

use h2::Reason;
use h2::server::SendResponse;
use http::StatusCode;

use super::reply;
use super::traffic::{FIRST_STREAM, Note};
use super::{SendBuf, Shared};
use crate::access_log::{End, Line};
use crate::limits::Rate;
use crate::request::{Asked, Malformed, Protocol, Rejected};
use crate::response::Outcome;

/// What the driver of a connection knows of its streams.
#[derive(Debug)]
pub(super) struct Refusals {
    unseen: Unseen,
    /// Streams that the `h2` crate has answered. Where it resets them behind that, it is no second refusal.
    answered: VecDeque<u32>,
    rejections: Rate,
}

/// The streams that have not come to the driver.
#[derive(Debug)]
struct Unseen {
    /// The least that may still come.
    next: u32,
    /// Those before it that never came, each range with its ends.
    gaps: VecDeque<(u32, u32)>,
}

/// Ranges that are remembered: a peer that opens every other stream leaves one for each. What is forgotten has no line.
const MAX_GAPS: usize = 256;
/// Answered streams that are remembered until they are reset, which most never are.
const MAX_ANSWERED: usize = 128;

impl Default for Refusals {
    fn default() -> Self {
        let rejections = Rate::new(super::REJECTION_RATE.0, super::REJECTION_RATE.1);
        Refusals { unseen: Unseen::default(), answered: VecDeque::new(), rejections }
    }
}

impl Refusals {
    /// A stream comes to the driver: all that were opened before it have come, or never will.
    pub(super) fn pass(&mut self, stream_id: u32, shared: &Shared) {
        self.unseen.pass(stream_id);
        self.tell(shared);
    }

    fn tell(&self, shared: &Shared) {
        shared.traffic.accepted(self.unseen.next, !self.unseen.gaps.is_empty());
    }

    /// Resets a stream whose head is malformed, or answers it where only the target is.
    pub(super) fn reject(&mut self, send: &mut SendResponse<SendBuf>, rejected: Rejected, shared: &Shared) {
        let stream_id = send.stream_id().as_u32();
        let Rejected { why, asked } = rejected;
        if why == Malformed::Target && reply::answer_bad_request(send) {
            shared.server.count_rejected();
            let end = End::answered(Instant::now(), StatusCode::BAD_REQUEST, 0, Outcome::Sent);
            shared.turn_away(stream_id, asked, end);
            return shared.server.reject(&shared.peer, stream_id, &why.to_string());
        }
        shared.reject(stream_id, &why.to_string());
        send.send_reset(Reason::PROTOCOL_ERROR);
        shared.turn_away(stream_id, asked, End::reset(Instant::now(), Outcome::Rejected));
        if !self.rejections.allow(1) {
            shared.traffic.violate(Reason::ENHANCE_YOUR_CALM);
        }
    }

    /// Deals with what was sent. To be called when no more streams come for now.
    pub(super) fn settle(&mut self, shared: &Shared) {
        for note in shared.traffic.take_notes() {
            match note {
                Note::Answer(stream_id) => self.answer(stream_id, shared),
                Note::Reset(stream_id, reason) => self.reset(stream_id, reason, shared),
            }
        }
    }

    /// The only answer that the `h2` crate gives by itself.
    fn answer(&mut self, stream_id: u32, shared: &Shared) {
        if !self.is_unknown(stream_id, shared) {
            return;
        }
        if self.answered.len() == MAX_ANSWERED {
            self.answered.pop_front();
        }
        self.answered.push_back(stream_id);
        shared.server.count_rejected();
        let status = StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE;
        let end = End::answered(Instant::now(), status, 0, Outcome::Sent);
        shared.turn_away(stream_id, Asked::Nothing, end);
        shared.server.reject(&shared.peer, stream_id, "the header fields are too large");
    }

    fn reset(&mut self, stream_id: u32, reason: Reason, shared: &Shared) {
        if let Some(place) = self.answered.iter().position(|&other| other == stream_id) {
            self.answered.remove(place);
            return;
        }
        let (outcome, words) = if reason == Reason::REFUSED_STREAM {
            shared.server.count_refused();
            (Outcome::Refused, "max_concurrent_streams is reached")
        } else {
            shared.server.count_rejected();
            (Outcome::Rejected, "malformed")
        };
        if self.is_unknown(stream_id, shared) {
            shared.turn_away(stream_id, Asked::Nothing, End::reset(Instant::now(), outcome));
        }
        // What others have decided they report in better words.
        if !shared.traffic.was_reported(stream_id) {
            shared.server.reject(&shared.peer, stream_id, words);
        }
    }

    /// Whether the driver never saw this stream. Once said, it is known.
    fn is_unknown(&mut self, stream_id: u32, shared: &Shared) -> bool {
        let unknown = self.unseen.take(stream_id);
        if unknown {
            self.tell(shared);
        }
        unknown
    }
}

impl Default for Unseen {
    fn default() -> Self {
        Unseen { next: FIRST_STREAM, gaps: VecDeque::new() }
    }
}

impl Unseen {
    fn pass(&mut self, stream_id: u32) {
        if stream_id > self.next {
            self.gaps.push_back((self.next, stream_id - 2));
            self.forget();
        }
        self.next = stream_id + 2;
    }

    /// Whether this stream is one of them. From now on it is not.
    fn take(&mut self, stream_id: u32) -> bool {
        if stream_id >= self.next {
            self.pass(stream_id);
            return true;
        }
        let place = self.gaps.partition_point(|&(_, last)| last < stream_id);
        let Some(&(first, last)) = self.gaps.get(place).filter(|&&(first, _)| first <= stream_id) else {
            return false;
        };
        self.gaps.remove(place);
        if stream_id < last {
            self.gaps.insert(place, (stream_id + 2, last));
        }
        if first < stream_id {
            self.gaps.insert(place, (first, stream_id - 2));
        }
        self.forget();
        true
    }

    fn forget(&mut self) {
        let excess = self.gaps.len().saturating_sub(MAX_GAPS);
        self.gaps.drain(..excess);
    }
}

impl Shared {
    /// Counts the answer to a request without an exchange, and writes its line.
    pub(super) fn turn_away(&self, stream_id: u32, asked: Asked, end: End) {
        self.server
            .turn_away(end, || Line::refused(asked, Protocol::Http2, stream_id, self.peer.clone(), end.at));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_is_unseen_once() {
        let mut unseen = Unseen::default();
        unseen.pass(9);
        for stream in [5, 1, 7, 3, 11] {
            assert!(unseen.take(stream), "{stream}");
            assert!(!unseen.take(stream), "{stream}");
        }
        assert!(!unseen.take(9));
        assert!(unseen.gaps.is_empty());
    }

    #[test]
    fn no_more_ranges_are_remembered_however_they_come_to_be() {
        let mut unseen = Unseen::default();
        for batch in 0..1000 {
            // Of three that have not come, the one in the middle is refused.
            unseen.pass(8 * batch + 7);
            assert!(unseen.take(8 * batch + 3));
            assert!(unseen.gaps.len() <= MAX_GAPS);
        }
        assert!(unseen.take(7993) && !unseen.take(1));
    }
}
