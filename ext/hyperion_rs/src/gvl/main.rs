//! Waiting on the main thread, which Ruby runs signal handlers on.
//!
//! Until Ruby 3.3 nobody calls the unblock function of a main thread when a signal comes while all other threads are
//! outside the GVL as well: Ctrl-C would be heard with the next request. Ruby's own wait for a descriptor hears it, so
//! that the future's waker writes to one.

use std::io::{ErrorKind, Read, Write};
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::time::Instant;

use magnus::prelude::*;
use magnus::rb_sys::protect;
use magnus::{Error, Ruby};
use rb_sys::VALUE;

use crate::cache::GvlCell;
use crate::fork::Home;

/// Whether this is the main thread.
pub(super) fn is_current(ruby: &Ruby) -> bool {
    ruby.thread_current().as_value().equal(ruby.thread_main().as_value()).unwrap_or(false)
}

/// See [`super::wait_until`].
pub(super) fn wait<F: Future>(
    ruby: &Ruby,
    mut future: Pin<&mut F>,
    deadline: Option<Instant>,
) -> Result<Option<F::Output>, Error> {
    let bell = bell(ruby)?;
    let waker = Waker::from(bell.clone());
    // A signal handler that waited inside this wait has taken what the bell said to the outer one: it gives it back.
    let _again = Again(&bell);
    loop {
        if let Poll::Ready(output) = future.as_mut().poll(&mut Context::from_waker(&waker)) {
            return Ok(Some(output));
        }
        if deadline.is_some_and(|deadline| deadline <= Instant::now()) {
            return Ok(None);
        }
        readable(&bell.ear, deadline)?;
        match (&bell.ear).read(&mut [0; 64]) {
            Ok(_) => {}
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            Err(error) => return Err(io_error(ruby, error)),
        }
    }
}

/// Makes sure that the main thread can wait, however few descriptors are left later.
pub(super) fn prepare(ruby: &Ruby) -> Result<(), Error> {
    bell(ruby).map(drop)
}

/// What wakes the main thread. There is one main thread, and so one bell.
struct Bell {
    ear: UnixStream,
    rope: UnixStream,
}

static BELL: GvlCell<Option<(Home, Arc<Bell>)>> = GvlCell::new(None);

/// The bell of this process: a child must not hear its parent's.
fn bell(ruby: &Ruby) -> Result<Arc<Bell>, Error> {
    BELL.with(ruby, |slot| match slot {
        Some((home, bell)) if !home.is_elsewhere() => Ok(bell.clone()),
        _ => {
            let bell = Arc::new(Bell::new()?);
            *slot = Some((Home::here(), bell.clone()));
            Ok(bell)
        }
    })
    .map_err(|error| io_error(ruby, error))
}

impl Bell {
    fn new() -> std::io::Result<Self> {
        let (ear, rope) = UnixStream::pair()?;
        ear.set_nonblocking(true)?;
        rope.set_nonblocking(true)?;
        Ok(Bell { ear, rope })
    }

    fn ring(&self) {
        // A full socket rings already.
        let _ = (&self.rope).write(&[0]);
    }
}

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.ring();
    }
}

/// Rings once more at the end.
struct Again<'a>(&'a Bell);

impl Drop for Again<'_> {
    fn drop(&mut self) {
        self.0.ring();
    }
}

fn io_error(ruby: &Ruby, error: std::io::Error) -> Error {
    Error::new(ruby.exception_io_error(), format!("cannot wait: {error}"))
}

/// Waits as `IO#wait_readable` does: signals are handled, other threads run.
#[allow(deprecated, reason = "its successor wants an IO object, and this is a bare descriptor")]
fn readable(bell: &UnixStream, deadline: Option<Instant>) -> Result<(), Error> {
    let mut left = deadline.map(|deadline| {
        let left = deadline.saturating_duration_since(Instant::now());
        rb_sys::timeval { tv_sec: left.as_secs() as _, tv_usec: left.subsec_micros() as _ }
    });
    let timeout = left.as_mut().map_or(std::ptr::null_mut(), std::ptr::from_mut);
    let descriptor = bell.as_raw_fd();
    // SAFETY: the GVL is held; the descriptor is open and `timeout` points to `left`, or is null, until it returns.
    protect(|| unsafe {
        rb_sys::rb_wait_for_single_fd(descriptor, rb_sys::RB_WAITFD_IN as _, timeout);
        rb_sys::Qnil as VALUE
    })
    .map(drop)
}
