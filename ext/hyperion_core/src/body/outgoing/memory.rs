//! The memory that the responses of one connection may hold.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

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
}

impl ConnectionMemory {
    pub(crate) fn new(limit: usize) -> Arc<Self> {
        Arc::new(ConnectionMemory { limit, used: AtomicUsize::new(0) })
    }

    /// A charge, when the limit allows it.
    pub(crate) fn try_charge(self: &Arc<Self>, bytes: usize) -> Option<Charge> {
        let sum = |used: usize| used.checked_add(bytes).filter(|&sum| sum <= self.limit);
        self.used.fetch_update(Relaxed, Relaxed, sum).ok()?;
        Some(Charge { memory: self.clone(), bytes })
    }

    /// A charge whatever the limit, for bytes that exist already.
    pub(crate) fn charge(self: &Arc<Self>, bytes: usize) -> Charge {
        self.used.fetch_add(bytes, Relaxed);
        Charge { memory: self.clone(), bytes }
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
        Charge { memory: self.memory.clone(), bytes }
    }
}

impl Drop for Charge {
    fn drop(&mut self) {
        self.memory.used.fetch_sub(self.bytes, Relaxed);
    }
}
