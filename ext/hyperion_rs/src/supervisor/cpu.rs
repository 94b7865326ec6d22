//! The CPU time of a thread.

use std::time::Duration;

/// The CPU clock of one thread, which others may read.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock(#[cfg(target_os = "linux")] libc::clockid_t);

#[cfg(target_os = "linux")]
impl Clock {
    pub(crate) fn of_this_thread() -> Self {
        let mut clock = 0;
        // SAFETY: the thread exists, as it makes this call, and `clock` is written or left alone.
        unsafe { libc::pthread_getcpuclockid(libc::pthread_self(), &raw mut clock) };
        Clock(clock)
    }

    /// The time so far; zero when the thread is gone.
    pub(crate) fn now(&self) -> Duration {
        let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
        // SAFETY: `time` is written or left alone; a clock of a thread that is gone is refused.
        unsafe { libc::clock_gettime(self.0, &raw mut time) };
        Duration::new(time.tv_sec.unsigned_abs(), time.tv_nsec as u32)
    }
}

/// Without such clocks, every stall is taken for a wait.
#[cfg(not(target_os = "linux"))]
impl Clock {
    pub(crate) fn of_this_thread() -> Self {
        Clock()
    }

    pub(crate) fn now(&self) -> Duration {
        Duration::ZERO
    }
}
