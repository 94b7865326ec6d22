//! What an application forks off is no server: it has no reactor, and locks that the reactor held at that moment stay
//! locked there for ever. Nothing of the core may be touched in such a child.

use std::mem::ManuallyDrop;
use std::ops::Deref;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// Forks between the process that loaded this library and this one.
static GENERATION: AtomicU64 = AtomicU64::new(0);

/// Begins to watch for forks; called once, by `require`.
pub(crate) fn watch() {
    // SAFETY: `forked` only adds to an atomic, which is allowed between fork and exec.
    unsafe { libc::pthread_atfork(None, None, Some(forked)) };
}

unsafe extern "C" fn forked() {
    GENERATION.fetch_add(1, Relaxed);
}

/// The process in which something was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Home(u64);

impl Home {
    /// This process.
    pub(crate) fn here() -> Self {
        Home(GENERATION.load(Relaxed))
    }

    /// Whether a fork led away from it, so that what was made there was left behind.
    pub(crate) fn is_elsewhere(self) -> bool {
        self != Home::here()
    }
}

/// Something of the core that a Ruby object owns. In a child process it is forgotten: dropping it takes locks.
#[derive(Debug)]
pub(crate) struct Ours<T> {
    value: ManuallyDrop<T>,
    home: Home,
}

impl<T> Ours<T> {
    pub(crate) fn new(value: T) -> Self {
        Ours { value: ManuallyDrop::new(value), home: Home::here() }
    }

    /// Whether it was left behind in the parent process.
    pub(crate) fn is_elsewhere(&self) -> bool {
        self.home.is_elsewhere()
    }

    /// The value itself, for a use that ends it.
    pub(crate) fn into_inner(self) -> T {
        let mut this = ManuallyDrop::new(self);
        // SAFETY: `this` is never dropped, so that the value is taken once.
        unsafe { ManuallyDrop::take(&mut this.value) }
    }
}

impl<T> Deref for Ours<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.value
    }
}

impl<T> std::ops::DerefMut for Ours<T> {
    fn deref_mut(&mut self) -> &mut T {
        &mut self.value
    }
}

impl<T> Drop for Ours<T> {
    fn drop(&mut self) {
        if !self.home.is_elsewhere() {
            // SAFETY: the value is dropped here and nowhere else: `into_inner` leaves nothing to drop.
            unsafe { ManuallyDrop::drop(&mut self.value) };
        }
    }
}
