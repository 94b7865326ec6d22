//! Keeps the worker threads: starts them, replaces those that die, adds some on a stall, and joins them at the end.

use std::cell::RefCell;
use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use hyperion_core::body::Reads;
use hyperion_core::dispatch::Queue;
use tokio::sync::mpsc::{self, Receiver, Sender};

use crate::fork::{Home, Ours};
use crate::site::{Job, Site};

mod cpu;
mod threads;

use cpu::Clock;
pub(crate) use threads::Supervisor;

/// What the supervisor is told.
#[derive(Debug)]
pub(crate) enum Notice {
    /// A site has something to do.
    Tend(Arc<Site>),
    /// Requests wait, and the workers seem to wait too, or take long.
    Grow,
    /// A worker thread has ended.
    Left { died: bool },
}

/// Between the reactor and the worker threads. Holds no Ruby value.
#[derive(Debug)]
pub(crate) struct Bridge {
    pub(crate) queue: Queue<Job>,
    /// Those that workers wait in.
    pub(crate) reads: Reads,
    notices: Sender<Notice>,
    threads_min: usize,
    threads_max: usize,
    /// Workers that are alive.
    count: AtomicUsize,
    /// The system has no thread to give, for the moment.
    short: AtomicBool,
    next_id: AtomicUsize,
    /// The clocks of the workers that have come to be, by their ids.
    clocks: Mutex<HashMap<usize, Clock>>,
    this: Weak<Bridge>,
}

thread_local! {
    /// For a worker: where it works.
    static WORKPLACE: RefCell<Option<Ours<Arc<Bridge>>>> = const { RefCell::new(None) };
}

/// Notices that may wait for the supervisor.
const NOTICES: usize = 1024;

impl Bridge {
    pub(crate) fn new(threads_min: usize, threads_max: usize) -> (Arc<Self>, Receiver<Notice>) {
        let (notices, receiver) = mpsc::channel(NOTICES);
        let bridge = Arc::new_cyclic(|this| Bridge {
            queue: Queue::default(),
            reads: Reads::default(),
            notices,
            threads_min,
            threads_max,
            count: AtomicUsize::new(0),
            short: AtomicBool::new(false),
            next_id: AtomicUsize::new(0),
            clocks: Mutex::default(),
            this: this.clone(),
        });
        (bridge, receiver)
    }

    /// The one that this thread works for, if it is a worker.
    pub(crate) fn of_this_thread() -> Option<Arc<Bridge>> {
        WORKPLACE.with_borrow(|bridge| {
            bridge.as_ref().filter(|bridge| !bridge.is_elsewhere()).map(|bridge| Arc::clone(bridge))
        })
    }

    /// A clone of the pointer to this.
    pub(crate) fn this(&self) -> Arc<Bridge> {
        self.this.upgrade().expect("whoever calls this holds one")
    }

    /// Tells the supervisor; false when it has enough to do. It counts the workers after each notice anyway.
    pub(crate) fn notify(&self, notice: Notice) -> bool {
        self.notices.try_send(notice).is_ok()
    }

    /// Workers that are alive.
    pub(crate) fn workers(&self) -> usize {
        self.count.load(Relaxed)
    }

    /// Workers that are missing.
    pub(crate) fn vacancies(&self) -> usize {
        self.threads_min.saturating_sub(self.workers())
    }

    /// Workers that may be added.
    pub(crate) fn room(&self) -> usize {
        if self.short.load(Relaxed) { 0 } else { self.threads_max.saturating_sub(self.workers()) }
    }

    /// Says whether there are threads to be had.
    pub(crate) fn set_short(&self, short: bool) {
        self.short.store(short, Relaxed);
    }

    /// CPU time of the workers, so far.
    pub(crate) fn cpu(&self) -> Duration {
        self.clocks().values().map(Clock::now).sum()
    }

    /// Whether one of them wants a CPU at this moment.
    pub(crate) fn is_burning(&self) -> bool {
        self.clocks().values().any(Clock::is_runnable)
    }

    /// A seat for one more worker.
    pub(crate) fn seat(&self) -> Seat {
        self.count.fetch_add(1, Relaxed);
        let id = self.next_id.fetch_add(1, Relaxed);
        Seat { bridge: self.this(), id, left: AtomicBool::new(false), home: Home::here() }
    }

    fn clocks(&self) -> MutexGuard<'_, HashMap<usize, Clock>> {
        self.clocks.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A worker's place among the others; dropping it tells the supervisor that the worker is gone.
#[derive(Debug)]
pub(crate) struct Seat {
    bridge: Arc<Bridge>,
    id: usize,
    left: AtomicBool,
    home: Home,
}

impl Seat {
    pub(crate) fn bridge(&self) -> &Bridge {
        &self.bridge
    }

    pub(crate) fn id(&self) -> usize {
        self.id
    }

    /// The process that the worker belongs to.
    pub(crate) fn home(&self) -> Home {
        self.home
    }

    /// Lets the monitor see what this worker does. Called by its thread.
    pub(crate) fn take(&self) {
        WORKPLACE.set(Some(Ours::new(self.bridge.clone())));
        self.bridge.clocks().insert(self.id, Clock::of_this_thread());
    }

    /// Leaves: the thread did not come to be.
    pub(crate) fn vacate(&self) {
        self.bridge.count.fetch_sub(1, Relaxed);
        self.left.store(true, Relaxed);
    }

    /// Leaves, unless the others would be too few.
    pub(crate) fn retire(&self) -> bool {
        let fewer = |count: usize| (count > self.bridge.threads_min).then(|| count - 1);
        let retired = self.bridge.count.fetch_update(Relaxed, Relaxed, fewer).is_ok();
        self.left.store(retired, Relaxed);
        retired
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        if self.home.is_elsewhere() {
            return;
        }
        // Ruby may use this thread again.
        WORKPLACE.set(None);
        self.bridge.queue.leave(self.id);
        self.bridge.clocks().remove(&self.id);
        let died = !self.left.load(Relaxed);
        if died {
            self.bridge.count.fetch_sub(1, Relaxed);
        }
        self.bridge.notify(Notice::Left { died });
    }
}
