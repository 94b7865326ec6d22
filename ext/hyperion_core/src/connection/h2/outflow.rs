//! What becomes of the DATA that is queued in the `h2` crate. A peer that lowers SETTINGS_INITIAL_WINDOW_SIZE takes
//! back windows in which responses were queued already, and `h2` keeps those for as long as the peer likes.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::time::Duration;

use tokio::time::Instant;

use super::traffic::Traffic;
use crate::limits::{MIN_PROGRESS, Patience};

/// The DATA of a connection. Responses that were queued whole have no task that could watch them: they are counted in
/// two generations, of which the older one takes no more, so that new ones cannot hide one that is stuck.
#[derive(Debug)]
pub(crate) struct Outflow {
    epoch: Instant,
    written: AtomicUsize,
    /// Milliseconds after `epoch` until which the peer was seen to take DATA.
    moved_at: AtomicU64,
    /// The index of the younger generation.
    young: AtomicUsize,
    generations: [Generation; 2],
    /// The peer has taken too little of the older generation.
    given_up: AtomicBool,
}

#[derive(Debug, Default)]
struct Generation {
    buffers: AtomicUsize,
    written: AtomicUsize,
}

impl Default for Outflow {
    fn default() -> Self {
        Outflow {
            epoch: Instant::now(),
            written: AtomicUsize::new(0),
            moved_at: AtomicU64::new(0),
            young: AtomicUsize::new(0),
            generations: Default::default(),
            given_up: AtomicBool::new(false),
        }
    }
}

impl Outflow {
    /// Counts a buffer that nobody watches; answers its generation.
    pub(super) fn enter(&self) -> usize {
        let young = self.young.load(Relaxed);
        self.generations[young].buffers.fetch_add(1, Relaxed);
        young
    }

    pub(super) fn leave(&self, generation: usize) {
        self.generations[generation].buffers.fetch_sub(1, Relaxed);
    }

    pub(super) fn written(&self, bytes: usize, generation: Option<usize>) {
        self.written.fetch_add(bytes, Relaxed);
        if let Some(generation) = generation {
            self.generations[generation].written.fetch_add(bytes, Relaxed);
        }
    }

    /// When the peer was last seen to take DATA of any stream.
    pub(crate) fn moved_at(&self) -> Instant {
        self.epoch + Duration::from_millis(self.moved_at.load(Relaxed))
    }

    pub(super) fn has_given_up(&self) -> bool {
        self.given_up.load(Relaxed)
    }
}

/// The connection's eye on its outflow.
#[derive(Debug)]
pub(super) struct Watch {
    traffic: Arc<Traffic>,
    timeout: Duration,
    /// Of all DATA, when `moved_at` was last set.
    written: usize,
    /// The wire's count of the times when the peer took what had waited for it.
    relieved: u32,
    /// Of the older generation, when it was last looked at.
    old_written: usize,
    /// With the older generation.
    patience: Option<Patience>,
}

impl Watch {
    pub(super) fn new(traffic: Arc<Traffic>, timeout: Duration) -> Self {
        Watch { traffic, timeout, written: 0, relieved: 0, old_written: 0, patience: None }
    }

    /// When patience with what nobody else watches ends. A slow peer takes what was written before, and the socket,
    /// with a later `relieved`, while no more can be written.
    pub(super) fn look(&mut self, now: Instant, relieved: u32) -> Option<Instant> {
        let outflow = &self.traffic.outflow;
        let written = outflow.written.load(Relaxed);
        if written.wrapping_sub(self.written) >= MIN_PROGRESS || relieved != self.relieved {
            (self.written, self.relieved) = (written, relieved);
            outflow.moved_at.store(now.duration_since(outflow.epoch).as_millis() as u64, Relaxed);
        }
        let young = outflow.young.load(Relaxed);
        let mut old = &outflow.generations[1 - young];
        if old.buffers.load(Relaxed) == 0 {
            self.patience = None;
            old = &outflow.generations[young];
            if old.buffers.load(Relaxed) == 0 {
                return None;
            }
            outflow.young.store(1 - young, Relaxed);
            self.old_written = old.written.load(Relaxed);
        }
        let patience = self.patience.get_or_insert_with(|| Patience::new(self.timeout));
        if patience.deadline() <= now {
            let written = old.written.load(Relaxed);
            let moved = written.wrapping_sub(self.old_written);
            self.old_written = written;
            if !patience.extend(moved, outflow.moved_at()) {
                outflow.given_up.store(true, Relaxed);
            }
        }
        Some(patience.deadline())
    }
}
