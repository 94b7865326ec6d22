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

/// Who decides whether a request may be in flight.
#[derive(Clone, Debug)]
pub enum Gate {
    /// A cap, as soon as the head of the request is there.
    Core(Arc<Admission>),
    /// The handler, which has to call [`crate::response::Responder::admit`] or [`crate::response::Responder::refuse`]
    /// for each request. It is counted here, without a cap.
    Handler(Arc<Admission>),
}

impl Gate {
    /// One that leaves the decision to the handler.
    pub fn handler() -> Self {
        Gate::Handler(Admission::unlimited())
    }

    /// The counters.
    pub fn admission(&self) -> &Arc<Admission> {
        match self {
            Gate::Core(admission) | Gate::Handler(admission) => admission,
        }
    }

    /// Whether the handler decides.
    pub(crate) fn is_late(&self) -> bool {
        matches!(self, Gate::Handler(_))
    }
}

/// The right to be in flight; dropping it ends the flight.
#[derive(Debug)]
pub struct Slot(Arc<Admission>);

impl Admission {
    /// Admits at most `max` at once.
    pub fn new(max: usize) -> Arc<Self> {
        Arc::new(Admission { max, in_flight: AtomicUsize::new(0), rejected: AtomicU64::new(0) })
    }

    /// Admits any number.
    pub fn unlimited() -> Arc<Self> {
        Self::new(usize::MAX)
    }

    /// A slot, or `None` (counted as rejected) when all are taken.
    pub fn admit(self: &Arc<Self>) -> Option<Slot> {
        self.take().then(|| Slot(self.clone()))
    }

    /// Takes a slot without an owner, which [`Admission::release`] gives back; false, and counted as rejected, when
    /// all are taken.
    pub fn take(&self) -> bool {
        let taken = self.in_flight.fetch_update(Relaxed, Relaxed, |n| (n < self.max).then_some(n + 1));
        if taken.is_err() {
            self.rejected.fetch_add(1, Relaxed);
        }
        taken.is_ok()
    }

    /// Gives a slot back. With none taken it does nothing.
    pub fn release(&self) {
        // The error says that there is none.
        let _ = self.in_flight.fetch_update(Relaxed, Relaxed, |n| n.checked_sub(1));
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
        self.0.release();
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

    #[test]
    fn a_slot_that_nobody_took_is_not_given_back() {
        let admission = Admission::new(2);
        admission.release();
        assert!(admission.take() && admission.take() && !admission.take());
        assert_eq!((admission.in_flight(), admission.rejected()), (2, 1));
    }
}
