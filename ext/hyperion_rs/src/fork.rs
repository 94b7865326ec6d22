//! What an application forks off is no server: it has no reactor, and locks that the reactor held at that moment stay
//! locked there for ever. Nothing of the core may be touched in such a child.

use std::mem::ManuallyDrop;
use std::ops::Deref;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

/// Whether this process came from one that serves.
static CHILD: AtomicBool = AtomicBool::new(false);

/// Begins to watch for forks; called once, by `require`.
pub(crate) fn watch() {
    // SAFETY: `forked` only stores to an atomic, which is allowed between fork and exec.
    unsafe { libc::pthread_atfork(None, None, Some(forked)) };
}

unsafe extern "C" fn forked() {
    CHILD.store(true, Relaxed);
}

/// A server starts in this process: from here on its reactor is here.
pub(crate) fn settle() {
    CHILD.store(false, Relaxed);
}

/// Whether the server was left behind in the parent process.
pub(crate) fn is_child() -> bool {
    CHILD.load(Relaxed)
}

/// Something of the core that a Ruby object owns. In a child process it is forgotten: dropping it takes locks.
#[derive(Debug)]
pub(crate) struct Ours<T>(ManuallyDrop<T>);

impl<T> Ours<T> {
    pub(crate) fn new(value: T) -> Self {
        Ours(ManuallyDrop::new(value))
    }

    /// The value itself, for a use that ends it.
    pub(crate) fn into_inner(self) -> T {
        let mut this = ManuallyDrop::new(self);
        // SAFETY: `this` is never dropped, so that the value is taken once.
        unsafe { ManuallyDrop::take(&mut this.0) }
    }
}

impl<T> Deref for Ours<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

impl<T> std::ops::DerefMut for Ours<T> {
    fn deref_mut(&mut self) -> &mut T {
        &mut self.0
    }
}

impl<T> Drop for Ours<T> {
    fn drop(&mut self) {
        if !is_child() {
            // SAFETY: the value is dropped here and nowhere else: `into_inner` leaves nothing to drop.
            unsafe { ManuallyDrop::drop(&mut self.0) };
        }
    }
}
