//! State that only a thread with the GVL may touch: the GVL is its lock.

use std::cell::UnsafeCell;

use magnus::Ruby;

/// A value guarded by the GVL.
pub(crate) struct GvlCell<T>(UnsafeCell<T>);

// SAFETY: `with` wants a `Ruby`, which proves that the GVL is held, so that no two threads are inside at once.
unsafe impl<T: Send> Sync for GvlCell<T> {}

impl<T> GvlCell<T> {
    pub(crate) const fn new(value: T) -> Self {
        GvlCell(UnsafeCell::new(value))
    }

    /// Runs `f` with the value. `f` must not call anything of Ruby that can switch threads (no method calls, no
    /// allocation): the type cannot tell, so callers keep their closures to plain Rust.
    pub(crate) fn with<R>(&self, _gvl: &Ruby, f: impl FnOnce(&mut T) -> R) -> R {
        // SAFETY: the GVL is held, and `f` does not let go of it (see above); nor is `with` called inside `f`.
        f(unsafe { &mut *self.0.get() })
    }
}
