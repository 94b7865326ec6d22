//! What waits for a thread with the GVL: lines for the log, counts for metrics and slots for an admission object that are
//! the application's. The supervisor is told, and the end of a `serve` sees to it itself.

use std::collections::BTreeSet;
use std::sync::atomic::{
    AtomicBool, AtomicUsize,
    Ordering::{AcqRel, Relaxed},
};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use hyperion_core::metrics::Metrics;
use magnus::{Error, Ruby};

use crate::log::Backlog;
use crate::roots::Roots;

/// The errands of one site.
#[derive(Debug)]
pub(crate) struct Errands {
    pub(crate) log: Backlog,
    /// Slots to give back.
    released: AtomicUsize,
    /// The supervisor was told, and has not begun.
    rung: AtomicBool,
    turns: Mutex<Turns>,
}

/// Who runs errands at the moment, by the order in which they began.
#[derive(Debug, Default)]
struct Turns {
    next: u64,
    open: BTreeSet<u64>,
}

impl Errands {
    pub(crate) fn new(log: Backlog) -> Self {
        Errands { log, released: AtomicUsize::new(0), rung: AtomicBool::new(false), turns: Mutex::default() }
    }

    /// Whether somebody is to be told that there is something to do; once until somebody begins.
    pub(crate) fn ring(&self) -> bool {
        // Whoever begins later sees what there is to do by now.
        !self.rung.swap(true, AcqRel)
    }

    /// Nobody could be told, or somebody begins.
    pub(crate) fn unring(&self) {
        // Not a mere store: what was to be done when somebody found it rung must be seen from here on.
        self.rung.swap(false, AcqRel);
    }

    /// A slot is to be given back.
    pub(crate) fn release(&self) {
        self.released.fetch_add(1, Relaxed);
    }

    /// Does all that waits. Answers the turn that this was.
    pub(crate) fn run(&self, ruby: &Ruby, roots: &Roots, metrics: &Arc<Metrics>) -> Result<u64, Error> {
        let turn = Turn::begin(self);
        self.give_back(ruby, roots)?;
        if let Some(mirror) = roots.mirror() {
            tolerate(ruby, roots, "metrics", mirror.update(ruby, metrics))?;
        }
        self.log.write(ruby, roots.logger())?;
        Ok(turn.number)
    }

    /// Whether all who had begun before this turn did are done with what they took.
    pub(crate) fn is_settled(&self, turn: u64) -> bool {
        self.turns().open.first().is_none_or(|&first| first > turn)
    }

    /// Gives slots back.
    pub(crate) fn give_back(&self, ruby: &Ruby, roots: &Roots) -> Result<(), Error> {
        let Some(admission) = roots.admission() else { return Ok(()) };
        let one = |count: usize| count.checked_sub(1);
        while self.released.fetch_update(Relaxed, Relaxed, one).is_ok() {
            tolerate(ruby, roots, "h2_admission", admission.release(ruby))?;
        }
        Ok(())
    }

    fn turns(&self) -> MutexGuard<'_, Turns> {
        self.turns.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

struct Turn<'a> {
    errands: &'a Errands,
    number: u64,
}

impl<'a> Turn<'a> {
    fn begin(errands: &'a Errands) -> Self {
        let mut turns = errands.turns();
        let number = turns.next;
        turns.next += 1;
        turns.open.insert(number);
        Turn { errands, number }
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.errands.turns().open.remove(&self.number);
    }
}

/// Logs what an object of the application's raised. What is meant for the thread goes on.
fn tolerate(ruby: &Ruby, roots: &Roots, what: &str, result: Result<(), Error>) -> Result<(), Error> {
    match result {
        Err(error) if error.is_kind_of(ruby.exception_standard_error()) => {
            roots.logger().write_exception(ruby, what, &error)
        }
        result => result,
    }
}
