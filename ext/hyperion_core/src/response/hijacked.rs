//! A request that the application answers by hand, after it has left the responder.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use super::Outcome;
use super::record::OnFinish;

/// Tells how the response ended that the application wrote by hand.
#[derive(Clone)]
pub struct Hijacked(Arc<Mutex<State>>);

enum State {
    Open(Option<OnFinish>),
    Over(Outcome),
}

impl Hijacked {
    pub(super) fn new(on_finish: Option<OnFinish>) -> Self {
        Hijacked(Arc::new(Mutex::new(State::Open(on_finish))))
    }

    /// Calls `on_finish` once, when the response is over: now, if it is. It replaces an earlier one. See
    /// [`super::Responder::on_finish`] for what it may do.
    pub fn on_finish(&self, on_finish: impl FnOnce(Outcome) + Send + 'static) {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match &mut *state {
            State::Open(slot) => *slot = Some(Box::new(on_finish)),
            State::Over(outcome) => {
                let outcome = *outcome;
                drop(state);
                on_finish(outcome);
            }
        }
    }

    pub(super) fn finish(&self, outcome: Outcome) {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let before = std::mem::replace(&mut *state, State::Over(outcome));
        drop(state);
        if let State::Open(Some(on_finish)) = before {
            on_finish(outcome);
        }
    }
}

impl fmt::Debug for Hijacked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hijacked").finish_non_exhaustive()
    }
}
