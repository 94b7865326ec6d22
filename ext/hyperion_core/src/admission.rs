//! The process-wide cap on requests being served. Lock-free; a slot gives itself back when dropped.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};

/// Counts the requests in flight against a maximum.
#[derive(Debug)]
pub struct Admission {
    max: usize,
    in_flight: AtomicUsize,
    rejected: AtomicU64,
}

/// The right to be in flight; dropping it ends the flight.
#[derive(Debug)]
pub struct Slot(Arc<Admission>);

impl Admission {
    /// Admits at most `max` at once.
    pub fn new(max: usize) -> Arc<Self> {
        Arc::new(Admission { max, in_flight: AtomicUsize::new(0), rejected: AtomicU64::new(0) })
    }

    /// A slot, or `None` (counted as rejected) when all are taken.
    pub fn admit(self: &Arc<Self>) -> Option<Slot> {
        let taken = self.in_flight.fetch_update(Relaxed, Relaxed, |n| (n < self.max).then_some(n + 1));
        if taken.is_ok() {
            return Some(Slot(self.clone()));
        }
        self.rejected.fetch_add(1, Relaxed);
        None
    }

    /// Requests being served now.
    pub fn in_flight(&self) -> usize {
        self.in_flight.load(Relaxed)
    }

    /// Requests refused so far.
    pub fn rejected(&self) -> u64 {
        self.rejected.load(Relaxed)
    }

    /// The cap.
    pub fn max(&self) -> usize {
        self.max
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.0.in_flight.fetch_sub(1, Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dropped_slot_can_be_taken_again() {
        let admission = Admission::new(1);
        let slot = admission.admit();
        assert!(slot.is_some());
        assert!(admission.admit().is_none());
        assert_eq!((admission.in_flight(), admission.rejected()), (1, 1));
        drop(slot);
        assert!(admission.admit().is_some());
    }
}
