//! Metrics of the application's: an object with `increment`, `decrement`, `increment_status` and `tick_worker_request`.
//! The core counts for itself, and what has changed is passed on by a thread with the GVL.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use hyperion_core::metrics::{Metric, Metrics, Snapshot};
use magnus::prelude::*;
use magnus::value::Opaque;
use magnus::{Error, Ruby, Value, gc};

/// The object, and how far it is. Whoever holds it has the object marked.
pub(crate) struct Mirror {
    object: Opaque<Value>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// What was counted when the object last heard of it, and by which counters: those of a child process are others.
    told: Option<(Arc<Metrics>, Snapshot)>,
    /// Not passed on yet.
    calls: VecDeque<Call>,
}

enum Call {
    Increment(Metric),
    Decrement(Metric),
    Status(u16),
    Dispatched(String),
}

impl Mirror {
    pub(crate) fn new(object: Value) -> Self {
        Mirror { object: object.into(), state: Mutex::default() }
    }

    pub(crate) fn mark(&self, marker: &gc::Marker) {
        marker.mark(self.object);
    }

    /// Passes on what has changed since the last time.
    pub(crate) fn update(&self, ruby: &Ruby, metrics: &Arc<Metrics>) -> Result<(), Error> {
        self.state().look(metrics);
        let object = ruby.get_inner(self.object);
        // The lock is not held while Ruby is called, where other threads come here.
        while let Some(call) = self.next() {
            let _: Value = match call {
                Call::Increment(metric) => object.funcall("increment", (ruby.to_symbol(metric.name()),)),
                Call::Decrement(metric) => object.funcall("decrement", (ruby.to_symbol(metric.name()),)),
                Call::Status(status) => object.funcall("increment_status", (status,)),
                Call::Dispatched(worker) => object.funcall("tick_worker_request", (worker,)),
            }?;
        }
        Ok(())
    }

    fn next(&self) -> Option<Call> {
        self.state().calls.pop_front()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn look(&mut self, metrics: &Arc<Metrics>) {
        let now = metrics.snapshot();
        let told = self.told.take().filter(|(counters, _)| Arc::ptr_eq(counters, metrics));
        let told = told.map_or_else(|| Metrics::default().snapshot(), |(_, told)| told);
        for (&(metric, now), &(_, before)) in now.numbers.iter().zip(&told.numbers) {
            let count = now.abs_diff(before);
            let call = if now > before { Call::Increment } else { Call::Decrement };
            self.calls.extend((0..count).map(|_| call(metric)));
        }
        for &(status, now) in &now.statuses {
            let before = told.statuses.iter().find(|(other, _)| *other == status).map_or(0, |told| told.1);
            self.calls.extend((before..now).map(|_| Call::Status(status)));
        }
        for (worker, &now) in &now.dispatched {
            let before = told.dispatched.get(worker).copied().unwrap_or_default();
            self.calls.extend((before..now).map(|_| Call::Dispatched(worker.clone())));
        }
        self.told = Some((metrics.clone(), now));
    }
}
