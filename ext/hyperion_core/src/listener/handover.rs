//! Keeps the listening sockets of a server that stops, for the one that follows: no client is refused in between.

use std::os::fd::{AsRawFd, OwnedFd};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

/// What the listeners of a server leave behind.
#[derive(Debug, Default)]
pub(crate) struct Handover {
    wanted: AtomicBool,
    kept: Mutex<Vec<OwnedFd>>,
}

impl Handover {
    /// Says whether the listeners are to leave their sockets; before the stop begins. Takes no lock.
    pub(crate) fn want(&self, wanted: bool) {
        self.wanted.store(wanted, Ordering::SeqCst);
    }

    pub(crate) fn is_wanted(&self) -> bool {
        self.wanted.load(Ordering::SeqCst)
    }

    pub(super) fn keep(&self, socket: OwnedFd) {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner).push(socket);
    }

    /// The sockets, in the order in which they were opened; they still listen.
    pub(crate) fn take(&self) -> Vec<OwnedFd> {
        let mut sockets = std::mem::take(&mut *self.kept.lock().unwrap_or_else(PoisonError::into_inner));
        // Of two addresses with port 0, each is to find its own.
        sockets.sort_by_key(AsRawFd::as_raw_fd);
        sockets
    }
}
