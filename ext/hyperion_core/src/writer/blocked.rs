//! Whether a peer takes what it is sent.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Instant;

use crate::limits::MIN_PROGRESS;
use crate::stream::Pulse;

/// Since when the peer has taken nothing of what waits for it, and whether it lives; shared with the task that owns the
/// connection.
#[derive(Debug)]
pub(crate) struct Blocked {
    epoch: Instant,
    /// Milliseconds after `epoch`, plus one; 0 when nothing waits.
    since: AtomicU64,
    /// Bytes that the kernel has accepted since then.
    moved: AtomicUsize,
    /// Counts the reads that brought bytes.
    heard: AtomicU32,
    /// Counts how often a peer that was seen not to read has taken something.
    relieved: AtomicU32,
}

impl Blocked {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Blocked {
            epoch: Instant::now(),
            since: AtomicU64::new(0),
            moved: AtomicUsize::new(0),
            heard: AtomicU32::new(0),
            relieved: AtomicU32::new(0),
        })
    }

    pub(crate) fn since(&self) -> Option<Instant> {
        let since = self.since.load(Relaxed).checked_sub(1)?;
        Some(self.epoch + Duration::from_millis(since))
    }

    /// A number that changes while the peer takes what waited for it.
    pub(crate) fn relieved(&self) -> u32 {
        self.relieved.load(Relaxed)
    }

    /// A number that changes with each sign of life: bytes from the peer, and room for more to it.
    pub(crate) fn signs(&self) -> u32 {
        self.heard.load(Relaxed).wrapping_add(self.relieved())
    }

    fn start(&self) {
        let elapsed = self.epoch.elapsed().as_millis() as u64 + 1;
        // Only the first block counts; a failed exchange means that one is counted already.
        let _ = self.since.compare_exchange(0, elapsed, Relaxed, Relaxed);
    }

    /// The kernel has accepted `count` bytes.
    fn moved(&self, count: usize) {
        if self.since.load(Relaxed) != 0 && self.moved.fetch_add(count, Relaxed) + count >= MIN_PROGRESS {
            self.clear();
        }
    }

    /// Nothing waits any more.
    pub(crate) fn clear(&self) {
        if self.since.load(Relaxed) != 0 {
            self.since.store(0, Relaxed);
            self.moved.store(0, Relaxed);
            self.relieved.fetch_add(1, Relaxed);
        }
    }

    /// Bytes have come from the peer.
    pub(crate) fn hear(&self) {
        self.heard.fetch_add(1, Relaxed);
    }
}

/// A peer that is not seen not to read may be reading.
impl Pulse for Blocked {
    fn moved_at(&self) -> Instant {
        self.since().unwrap_or_else(Instant::now)
    }
}

/// A socket whose peer is watched. It is below TLS, which takes bytes that the kernel does not.
#[derive(Debug)]
pub(crate) struct Watched<T> {
    io: T,
    blocked: Arc<Blocked>,
}

impl<T> Watched<T> {
    pub(crate) fn new(io: T) -> Self {
        Watched { io, blocked: Blocked::new() }
    }

    pub(crate) fn blocked(&self) -> Arc<Blocked> {
        self.blocked.clone()
    }

    fn note(&self, written: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        match &written {
            Poll::Pending => self.blocked.start(),
            Poll::Ready(Ok(count)) => self.blocked.moved(*count),
            Poll::Ready(Err(_)) => {}
        }
        written
    }
}

impl<T: AsyncRead + Unpin> AsyncRead for Watched<T> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_read(cx, buffer)
    }
}

impl<T: AsyncWrite + Unpin> AsyncWrite for Watched<T> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.io).poll_write(cx, bytes);
        self.note(written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.io).poll_write_vectored(cx, slices);
        self.note(written)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_peer_that_does_not_read_is_noticed() {
        let (client, mut server) = tokio::io::duplex(2 * MIN_PROGRESS);
        let mut client = Watched::new(client);
        let blocked = client.blocked();
        let write = tokio::spawn(async move { client.write_all(&[0; 4 * MIN_PROGRESS]).await });
        tokio::time::sleep(Duration::from_secs(1)).await;
        let since = blocked.since().expect("it has taken all that there was room for");
        let mut sink = [0; 2 * MIN_PROGRESS];
        server.read_exact(&mut sink[1..MIN_PROGRESS]).await.unwrap();
        tokio::time::sleep(Duration::from_secs(1)).await;
        assert_eq!(blocked.since(), Some(since), "so little is no progress");
        server.read_exact(&mut sink[..1]).await.unwrap();
        tokio::time::sleep(Duration::from_secs(1)).await;
        assert!(blocked.since() > Some(since));
        server.read_exact(&mut sink).await.unwrap();
        write.await.unwrap().unwrap();
        assert!(blocked.since().is_none());
    }
}
