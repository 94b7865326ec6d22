//! What is queued of a response, between the task that sends it and the connection.

use std::fmt::Debug;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};

use tokio::sync::Notify;
use tokio::time::Instant;

/// A connection's sign that its peer reads.
pub(crate) trait Pulse: Debug + Send + Sync {
    /// When the peer was last seen to take bytes of any response.
    fn moved_at(&self) -> Instant;
}

/// The bytes that the task of one response has queued.
#[derive(Debug)]
pub(crate) struct Queue {
    waiting: AtomicUsize,
    /// A buffer was dropped with bytes left: the stream was reset, or the connection is gone.
    lost: AtomicBool,
    changed: Notify,
    pulse: Arc<dyn Pulse>,
}

impl Queue {
    pub(crate) fn new(pulse: Arc<dyn Pulse>) -> Arc<Self> {
        Arc::new(Queue {
            waiting: AtomicUsize::new(0),
            lost: AtomicBool::new(false),
            changed: Notify::new(),
            pulse,
        })
    }

    /// When the peer was last seen to take bytes of the connection.
    pub(crate) fn moved_at(&self) -> Instant {
        self.pulse.moved_at()
    }

    pub(crate) fn add(&self, bytes: usize) {
        self.waiting.fetch_add(bytes, Relaxed);
    }

    pub(crate) fn written(&self, bytes: usize) {
        if self.waiting.fetch_sub(bytes, Relaxed) == bytes {
            self.changed.notify_one();
        }
    }

    pub(crate) fn lose(&self) {
        self.lost.store(true, Relaxed);
        self.changed.notify_one();
    }

    pub(crate) fn waiting(&self) -> usize {
        self.waiting.load(Relaxed)
    }

    /// Resolves when all is written, or when what is left never will be: then it is false.
    pub(crate) async fn drained(&self) -> bool {
        loop {
            if self.waiting() == 0 {
                return true;
            }
            if self.lost.load(Relaxed) {
                return false;
            }
            self.changed.notified().await;
        }
    }
}
