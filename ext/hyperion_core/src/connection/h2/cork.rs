//! Lets all that `h2` writes in one turn of the connection leave together. `h2` itself flushes after each DATA frame that
//! it does not copy (256 bytes or more), which would cost a system call and two TLS records, one of them with next to
//! nothing in it.

use std::io::{self, IoSlice};
use std::pin::{Pin, pin};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::gate::FrameGate;
use crate::writer::Wire;

/// The wire as `h2` has it: a flush waits for the end of the turn. The connection's task ends it, by
/// [`Cork::poll_pull`], and never while `h2` uses the wire.
#[derive(Debug)]
pub(super) struct Cork<'a, T>(&'a Mutex<Wire<T, FrameGate>>);

impl<T> Clone for Cork<'_, T> {
    fn clone(&self) -> Self {
        Cork(self.0)
    }
}

impl<'a, T> Cork<'a, T> {
    pub(super) fn new(wire: &'a Mutex<Wire<T, FrameGate>>) -> Self {
        Cork(wire)
    }

    fn wire(&self) -> MutexGuard<'a, Wire<T, FrameGate>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T: AsyncWrite + Unpin> Cork<'_, T> {
    /// Has what was gathered leave. To be called whenever `h2` waits: nothing else does it.
    pub(super) fn poll_pull(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut *self.wire()).poll_flush(cx)
    }

    /// Resolves as `future`, which uses the wire, and pulls the cork whenever that waits.
    pub(super) async fn pulled<F: Future>(&self, future: F) -> io::Result<F::Output> {
        let mut future = pin!(future);
        let poll = |cx: &mut Context<'_>| match (future.as_mut().poll(cx), self.poll_pull(cx)) {
            (Poll::Ready(output), _) => Poll::Ready(Ok(output)),
            (Poll::Pending, Poll::Ready(Err(error))) => Poll::Ready(Err(error)),
            (Poll::Pending, _) => Poll::Pending,
        };
        std::future::poll_fn(poll).await
    }
}

impl<T: AsyncRead + Unpin> AsyncRead for Cork<'_, T> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut *self.wire()).poll_read(cx, buffer)
    }
}

impl<T: AsyncWrite + Unpin> AsyncWrite for Cork<'_, T> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut *self.wire()).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut *self.wire()).poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    /// Leaves it to [`Cork::poll_pull`].
    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut *self.wire()).poll_shutdown(cx)
    }
}
