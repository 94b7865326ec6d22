//! The end of a response, as `rack.response_finished` waits for it.

use std::sync::{Arc, Mutex, PoisonError};

use hyperion_core::response::Outcome;

use crate::handle::Pending;
use crate::supervisor::{Bridge, Job};

/// Follows a response to its end. Whether there are callbacks, which may be added until its body is closed, can be told
/// before and after that.
pub(crate) struct Finish {
    state: Arc<Mutex<State>>,
    bridge: Arc<Bridge>,
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
    pub(crate) fn of(pending: &Pending, bridge: Arc<Bridge>) -> Self {
        let finish = Finish { state: Arc::new(Mutex::new(State::Open)), bridge };
        let (state, bridge) = (finish.state.clone(), finish.bridge.clone());
        pending.on_finish(move |outcome| {
            if let State::Awaited(id) = exchange(&state, State::Over(outcome)) {
                call_back(&bridge, id, outcome);
            }
        });
        finish
    }

    /// Has a worker call the callbacks that are remembered under `id`, at the end or at once when that has come.
    pub(crate) fn call_back(self, id: u64) {
        if let State::Over(outcome) = exchange(&self.state, State::Awaited(id)) {
            call_back(&self.bridge, id, outcome);
        }
    }
}

fn exchange(state: &Mutex<State>, new: State) -> State {
    std::mem::replace(&mut *state.lock().unwrap_or_else(PoisonError::into_inner), new)
}

fn call_back(bridge: &Bridge, id: u64, outcome: Outcome) {
    // A closed queue has no worker to call them.
    let _ = bridge.queue.push(Job::Finished(id, outcome));
}
