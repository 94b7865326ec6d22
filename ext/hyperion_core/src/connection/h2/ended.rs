//! Remembers which streams the peer has ended, or reset. The `h2` crate answers DATA and HEADERS that follow END_STREAM
//! with PROTOCOL_ERROR while it still knows the stream; RFC 9113, section 5.1, wants STREAM_CLOSED.

/// Streams of which the end is remembered, and the reset: as many as may be open by default.
const RECENT: usize = 128;
/// Streams that are followed to their end. A peer that has more of them open is not told so precisely.
const FOLLOWED: usize = 256;

/// The receiving side of the streams of one connection.
#[derive(Debug, Default)]
pub(super) struct Ended {
    /// Opened, and not ended.
    receiving: Vec<u32>,
    ended: Recent,
    reset: Recent,
}

/// The last streams to which something happened: a ring as soon as it is full, so that a connection with few streams
/// holds little.
#[derive(Debug, Default)]
struct Recent {
    streams: Vec<u32>,
    next: usize,
}

impl Recent {
    fn contains(&self, stream_id: u32) -> bool {
        self.streams.contains(&stream_id)
    }

    fn push(&mut self, stream_id: u32) {
        match self.streams.get_mut(self.next) {
            Some(oldest) => *oldest = stream_id,
            None => self.streams.push(stream_id),
        }
        self.next = (self.next + 1) % RECENT;
    }
}

impl Ended {
    /// A head came on a new stream.
    pub(super) fn open(&mut self, stream_id: u32, end_stream: bool) {
        if end_stream {
            self.ended.push(stream_id);
        } else {
            if self.receiving.len() == FOLLOWED {
                self.receiving.remove(0);
            }
            self.receiving.push(stream_id);
        }
    }

    /// DATA or HEADERS came on a stream that was opened before; false when the peer had ended it.
    pub(super) fn receive(&mut self, stream_id: u32, end_stream: bool) -> bool {
        match self.receiving.iter().rposition(|&open| open == stream_id) {
            Some(place) if end_stream => {
                self.receiving.remove(place);
                self.ended.push(stream_id);
                true
            }
            Some(_) => true,
            None => stream_id == 0 || !self.ended.contains(stream_id),
        }
    }

    /// Whether the peer has opened this stream, and neither ended nor reset it.
    pub(super) fn is_receiving(&self, stream_id: u32) -> bool {
        self.receiving.contains(&stream_id)
    }

    /// Whether the peer has reset this stream.
    pub(super) fn was_reset(&self, stream_id: u32) -> bool {
        self.reset.contains(stream_id)
    }

    /// The peer resets a stream; false when it has done so before. haproxy says it once more for each DATA frame of
    /// ours that was on its way.
    pub(super) fn reset(&mut self, stream_id: u32) -> bool {
        self.receiving.retain(|&open| open != stream_id);
        let first = !self.reset.contains(stream_id);
        if first {
            self.reset.push(stream_id);
        }
        first
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_may_follow_the_end() {
        let mut streams = Ended::default();
        streams.open(1, true);
        streams.open(3, false);
        assert!(!streams.receive(1, false));
        assert!(streams.receive(3, false));
        assert!(streams.receive(3, true));
        assert!(!streams.receive(3, false));
    }

    #[test]
    fn what_was_reset_or_never_opened_is_not_judged() {
        let mut streams = Ended::default();
        streams.open(5, false);
        assert!(streams.reset(5));
        assert!(!streams.reset(5), "once more");
        assert!(streams.receive(5, false));
        assert!(streams.receive(3, false));
        assert!(streams.receive(0, false));
    }

    #[test]
    fn memory_is_bounded() {
        let mut streams = Ended::default();
        for stream_id in 1..10_000 {
            streams.open(stream_id, stream_id % 2 == 0);
        }
        assert_eq!(streams.receiving.len(), FOLLOWED);
    }
}
