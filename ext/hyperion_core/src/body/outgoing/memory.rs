//! The memory that the responses of one connection may hold.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use tokio::sync::Notify;

/// Bytes on their way that the kernel has not accepted yet.
#[derive(Debug)]
pub(crate) struct ConnectionMemory {
    limit: usize,
    used: AtomicUsize,
}

/// Bytes taken from a [`ConnectionMemory`]; dropping it gives them back.
#[derive(Debug)]
pub(crate) struct Charge {
    memory: Arc<ConnectionMemory>,
    bytes: usize,
    overdraft: Option<Arc<Overdraft>>,
}

/// One response's way beyond the limit, a piece at a time: its neighbours may fill that for longer than its client
/// deserves to wait.
#[derive(Debug, Default)]
pub(crate) struct Overdraft {
    used: AtomicUsize,
    returned: Notify,
}

impl ConnectionMemory {
    pub(crate) fn new(limit: usize) -> Arc<Self> {
        Arc::new(ConnectionMemory { limit, used: AtomicUsize::new(0) })
    }

    /// A charge, when the limit allows it.
    pub(crate) fn try_charge(self: &Arc<Self>, bytes: usize) -> Option<Charge> {
        let sum = |used: usize| used.checked_add(bytes).filter(|&sum| sum <= self.limit);
        self.used.fetch_update(Relaxed, Relaxed, sum).ok()?;
        Some(self.charged(bytes))
    }

    /// A charge whatever the limit, for bytes that exist already.
    pub(crate) fn charge(self: &Arc<Self>, bytes: usize) -> Charge {
        self.used.fetch_add(bytes, Relaxed);
        self.charged(bytes)
    }

    /// A charge whatever the limit, when nothing is left of the last one on this overdraft.
    pub(crate) fn overdraw(self: &Arc<Self>, bytes: usize, overdraft: &Arc<Overdraft>) -> Option<Charge> {
        if overdraft.used.compare_exchange(0, bytes, Relaxed, Relaxed).is_err() {
            return None;
        }
        let mut charge = self.charge(bytes);
        charge.overdraft = Some(overdraft.clone());
        Some(charge)
    }

    fn charged(self: &Arc<Self>, bytes: usize) -> Charge {
        Charge { memory: self.clone(), bytes, overdraft: None }
    }

    #[cfg(test)]
    pub(crate) fn used(&self) -> usize {
        self.used.load(Relaxed)
    }
}

impl Charge {
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Splits off the charge of the first `bytes`.
    pub(crate) fn split(&mut self, bytes: usize) -> Charge {
        let bytes = bytes.min(self.bytes);
        self.bytes -= bytes;
        Charge { memory: self.memory.clone(), bytes, overdraft: self.overdraft.clone() }
    }
}

impl Overdraft {
    /// Resolves when the last piece may have been given back.
    pub(crate) async fn returned(&self) {
        self.returned.notified().await;
    }
}

impl Drop for Charge {
    fn drop(&mut self) {
        self.memory.used.fetch_sub(self.bytes, Relaxed);
        if let Some(overdraft) = &self.overdraft {
            overdraft.used.fetch_sub(self.bytes, Relaxed);
            overdraft.returned.notify_one();
        }
    }
}
