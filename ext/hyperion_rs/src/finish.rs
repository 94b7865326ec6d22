//! The end of a response, as `rack.response_finished` waits for it.

use std::sync::{Arc, Mutex, PoisonError};

use hyperion_core::response::Outcome;

use crate::handle::Pending;
use crate::site::Site;

/// Follows a response to its end. Whether there are callbacks, which may be added until its body is closed, can be told
/// before and after that.
pub(crate) struct Finish {
    state: Arc<Mutex<State>>,
    site: Arc<Site>,
}

#[derive(Clone, Copy)]
enum State {
    /// The response goes on, and nobody waits for its end.
    Open,
    /// The callbacks that are remembered under this number wait for it.
    Awaited(u64),
    /// It ended before somebody waited.
    Over(Outcome),
}

impl Finish {
    /// Begins to follow the response of `pending`.
    pub(crate) fn of(pending: &Pending, site: Arc<Site>) -> Self {
        let finish = Finish { state: Arc::new(Mutex::new(State::Open)), site };
        let (state, site) = (finish.state.clone(), finish.site.clone());
        pending.on_finish(move |outcome| {
            if let State::Awaited(id) = exchange(&state, State::Over(outcome)) {
                site.finish(id, outcome);
            }
        });
        finish
    }

    /// Has a worker call the callbacks that are remembered under `id`, at the end or at once when that has come.
    pub(crate) fn call_back(self, id: u64) {
        if let State::Over(outcome) = exchange(&self.state, State::Awaited(id)) {
            self.site.finish(id, outcome);
        }
    }
}

fn exchange(state: &Mutex<State>, new: State) -> State {
    std::mem::replace(&mut *state.lock().unwrap_or_else(PoisonError::into_inner), new)
}
