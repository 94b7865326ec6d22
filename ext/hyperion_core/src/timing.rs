//! How long a connection's first response took, and where the time went.

use std::time::{Duration, Instant};

/// The stages of a connection up to its first response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FirstStream {
    /// From taking the connection to its first SETTINGS, read.
    pub preface: Duration,
    /// From there to the response's head, encoded.
    pub encoded: Duration,
    /// From there to the write that carries it, done.
    pub written: Duration,
}

/// When the stages were reached, so far. Positions count the bytes that left the encoder.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Progress {
    Accepted(Instant),
    Opened(Instant, Duration),
    /// The head ends at this position.
    Encoded(Instant, [Duration; 2], u64),
    Done,
}

impl FirstStream {
    /// All stages together.
    pub fn total(&self) -> Duration {
        self.preface + self.encoded + self.written
    }

    /// In milliseconds, to the microsecond: the stages, and all together, by the names that users know.
    pub fn millis(&self) -> [(&'static str, f64); 4] {
        let millis = |duration: Duration| duration.as_micros() as f64 / 1e3;
        [
            ("t0_to_t1_ms", millis(self.preface)),
            ("t1_to_t2_enc_ms", millis(self.encoded)),
            ("t2_enc_to_t2_wire_ms", millis(self.written)),
            ("t0_to_t2_wire_ms", millis(self.total())),
        ]
    }
}

impl Progress {
    /// The client's preface and SETTINGS were read.
    pub(crate) fn open(&mut self) {
        if let Progress::Accepted(start) = *self {
            *self = Progress::Opened(start, since(start));
        }
    }

    /// A response's head was encoded, up to this position.
    pub(crate) fn encode(&mut self, position: u64) {
        if let Progress::Opened(start, opened) = *self {
            *self = Progress::Encoded(start, [opened, since(start)], position);
        }
    }

    /// All up to this position was written. Answers the stages, once.
    pub(crate) fn write(&mut self, position: u64) -> Option<FirstStream> {
        match *self {
            Progress::Encoded(start, [opened, encoded], end) if position >= end => {
                *self = Progress::Done;
                let written = since(start);
                Some(FirstStream { preface: opened, encoded: encoded - opened, written: written - encoded })
            }
            _ => None,
        }
    }

    pub(crate) fn is_done(&self) -> bool {
        matches!(self, Progress::Done)
    }
}

/// In whole microseconds: so the parts of a sum are its parts also when they are printed.
fn since(start: Instant) -> Duration {
    Duration::from_micros(start.elapsed().as_micros() as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_stages_make_up_the_total() {
        let start = Instant::now() - Duration::from_millis(5);
        let mut progress = Progress::Accepted(start);
        progress.encode(9);
        progress.open();
        progress.encode(10);
        assert_eq!(progress.write(9), None);
        let stages = progress.write(12).unwrap();
        assert!(stages.preface >= Duration::from_millis(5));
        assert!(stages.total() >= stages.preface && stages.total() <= start.elapsed());
        assert_eq!(stages.total().as_nanos() % 1000, 0);
        assert!(progress.is_done());
        assert_eq!(progress.write(20), None);
    }
}
