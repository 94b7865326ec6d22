//! What a thread does with its time: burns CPU, or waits.

use std::time::Duration;

/// The CPU clock of one thread, which others may read.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock {
    #[cfg(target_os = "linux")]
    clock: libc::clockid_t,
    #[cfg(target_os = "linux")]
    thread: libc::pid_t,
}

#[cfg(target_os = "linux")]
impl Clock {
    pub(crate) fn of_this_thread() -> Self {
        let mut clock = 0;
        // SAFETY: the thread exists, as it makes these calls, and `clock` is written or left alone.
        let thread = unsafe {
            libc::pthread_getcpuclockid(libc::pthread_self(), &raw mut clock);
            libc::gettid()
        };
        Clock { clock, thread }
    }

    /// The time so far; zero when the thread is gone.
    pub(crate) fn now(&self) -> Duration {
        let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
        // SAFETY: `time` is written or left alone; a clock of a thread that is gone is refused.
        unsafe { libc::clock_gettime(self.clock, &raw mut time) };
        Duration::new(time.tv_sec.unsigned_abs(), time.tv_nsec as u32)
    }

    /// Whether the thread would run if it had a CPU: on a machine with too few of them, the clock alone cannot tell.
    pub(crate) fn is_runnable(&self) -> bool {
        let stat = std::fs::read(format!("/proc/self/task/{}/stat", self.thread)).unwrap_or_default();
        // The state follows the name, which is in parentheses and may hold any byte.
        let name_end = stat.iter().rposition(|&byte| byte == b')');
        name_end.and_then(|end| stat.get(end + 2)) == Some(&b'R')
    }
}

/// Without such clocks, every stall is taken for a wait.
#[cfg(not(target_os = "linux"))]
impl Clock {
    pub(crate) fn of_this_thread() -> Self {
        Clock {}
    }

    pub(crate) fn now(&self) -> Duration {
        Duration::ZERO
    }

    pub(crate) fn is_runnable(&self) -> bool {
        false
    }
}
