//! The plaintext side of a connection: gathers the frames of a round into few large writes, lets in what the gate
//! admits, and tells the connection when the peer stops reading.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Buf, BytesMut};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Instant;

use crate::limits::MIN_PROGRESS;
use crate::stream::Pulse;

/// Sees the bytes that a peer sends before they are decoded, and may change them; and those that it is sent.
pub(crate) trait Gate: Unpin {
    /// How many of `bytes` may be decoded now. The rest is shown again, with what follows it.
    fn admit(&mut self, bytes: &mut [u8]) -> usize;
    /// Whether nothing more will be admitted.
    fn is_closed(&self) -> bool;
    /// Whether other tasks should deal with what was admitted before more is read. Asked before each read: true ends a
    /// turn, and the next one begins.
    fn ends_turn(&mut self) -> bool {
        false
    }
    /// These bytes will be written, after those before them.
    fn gathered(&mut self, bytes: &[u8]);
    /// So many of them are written.
    fn written(&mut self, count: usize);
}

/// Nothing comes in by such a wire but what its owner reads from the stream itself.
impl Gate for () {
    fn admit(&mut self, _: &mut [u8]) -> usize {
        0
    }

    fn is_closed(&self) -> bool {
        true
    }

    fn gathered(&mut self, _: &[u8]) {}

    fn written(&mut self, _: usize) {}
}

/// Bytes gathered before they are written: four TLS records.
const GATHER: usize = 64 * 1024;
/// A buffer larger than this is let go when it is empty, so that an idle connection holds little.
const KEEP: usize = 4 * 1024;

/// A byte stream with gathered writes and gated reads.
#[derive(Debug)]
pub(crate) struct Wire<T, G> {
    io: T,
    gate: G,
    /// Read, and not passed on yet; empty as a rule. The first `admitted` bytes may pass.
    held: BytesMut,
    admitted: usize,
    gathered: BytesMut,
    /// Accepted by the kernel since the peer was last seen not to read.
    moved: usize,
    blocked: Arc<Blocked>,
}

/// Since when the peer has taken nothing of what waits for it, and whether it lives; shared with the task that owns the
/// connection.
#[derive(Debug)]
pub(crate) struct Blocked {
    epoch: Instant,
    /// Milliseconds after `epoch`, plus one; 0 when nothing waits.
    since: AtomicU64,
    /// Counts the reads that brought bytes.
    heard: AtomicU32,
    /// Counts how often a peer that was seen not to read has taken something.
    relieved: AtomicU32,
}

impl Blocked {
    fn new() -> Arc<Self> {
        Arc::new(Blocked {
            epoch: Instant::now(),
            since: AtomicU64::new(0),
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

    fn clear(&self) {
        if self.since.load(Relaxed) != 0 {
            self.since.store(0, Relaxed);
            self.relieved.fetch_add(1, Relaxed);
        }
    }
}

/// A peer that is not seen not to read may be reading.
impl Pulse for Blocked {
    fn moved_at(&self) -> Instant {
        self.since().unwrap_or_else(Instant::now)
    }
}

impl<T, G> Wire<T, G> {
    pub(crate) fn new(io: T, gate: G) -> Self {
        let (held, gathered) = (BytesMut::new(), BytesMut::new());
        Wire { io, gate, held, admitted: 0, gathered, moved: 0, blocked: Blocked::new() }
    }

    /// The bare stream, whose reads pass no gate.
    pub(crate) fn io_mut(&mut self) -> &mut T {
        &mut self.io
    }

    pub(crate) fn into_io(self) -> T {
        self.io
    }

    /// Has `bytes` written with the next flush.
    pub(crate) fn enqueue(&mut self, bytes: &[u8]) {
        self.gathered.extend_from_slice(bytes);
    }

    pub(crate) fn blocked(&self) -> Arc<Blocked> {
        self.blocked.clone()
    }
}

impl<T: AsyncWrite + Unpin, G: Gate> Wire<T, G> {
    /// Writes until `left` bytes or fewer are gathered.
    fn poll_drain(&mut self, cx: &mut Context<'_>, left: usize) -> Poll<io::Result<()>> {
        while self.gathered.len() > left {
            let Poll::Ready(written) = Pin::new(&mut self.io).poll_write(cx, &self.gathered) else {
                self.blocked.start();
                return Poll::Pending;
            };
            let written = written?;
            if written == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.gathered.advance(written);
            self.gate.written(written);
            self.moved += written;
            if self.moved >= MIN_PROGRESS {
                self.moved = 0;
                self.blocked.clear();
            }
        }
        Poll::Ready(Ok(()))
    }

    fn gather(&mut self, bytes: &[u8]) -> usize {
        let count = bytes.len().min(GATHER.saturating_sub(self.gathered.len()));
        self.gathered.extend_from_slice(&bytes[..count]);
        self.gate.gathered(&bytes[..count]);
        count
    }
}

impl<T: AsyncWrite + Unpin, G: Gate> AsyncWrite for Wire<T, G> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        ready!(this.poll_drain(cx, GATHER - 1))?;
        Poll::Ready(Ok(this.gather(bytes)))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        ready!(this.poll_drain(cx, GATHER - 1))?;
        Poll::Ready(Ok(slices.iter().map(|slice| this.gather(slice)).sum()))
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        ready!(this.poll_drain(cx, 0))?;
        if this.gathered.capacity() > KEEP {
            this.gathered = BytesMut::new();
        }
        let Poll::Ready(flushed) = Pin::new(&mut this.io).poll_flush(cx) else {
            this.blocked.start();
            return Poll::Pending;
        };
        this.moved = 0;
        this.blocked.clear();
        Poll::Ready(flushed)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.as_mut().poll_flush(cx))?;
        Pin::new(&mut self.io).poll_shutdown(cx)
    }
}

impl<T, G: Gate> Wire<T, G> {
    /// Moves to `held` what is not admitted of the bytes that `buffer` has from `before` on.
    fn sift(&mut self, buffer: &mut ReadBuf<'_>, before: usize) {
        if self.held.is_empty() {
            let admitted = self.gate.admit(&mut buffer.filled_mut()[before..]);
            self.held.extend_from_slice(&buffer.filled()[before + admitted..]);
            buffer.set_filled(before + admitted);
        } else {
            self.held.extend_from_slice(&buffer.filled()[before..]);
            buffer.set_filled(before);
            self.admitted = self.gate.admit(&mut self.held);
        }
    }

    fn pass(&mut self, buffer: &mut ReadBuf<'_>) {
        let count = self.admitted.min(buffer.remaining());
        buffer.put_slice(&self.held[..count]);
        self.held.advance(count);
        self.admitted -= count;
        if self.held.is_empty() {
            self.held = BytesMut::new();
        }
    }
}

impl<T: AsyncRead + Unpin, G: Gate> AsyncRead for Wire<T, G> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if this.gate.ends_turn() {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        let before = buffer.filled().len();
        loop {
            this.pass(buffer);
            if buffer.filled().len() > before {
                return Poll::Ready(Ok(()));
            }
            if this.gate.is_closed() {
                // The connection's task sees why as soon as there is nothing to read.
                return Poll::Pending;
            }
            ready!(Pin::new(&mut this.io).poll_read(cx, buffer))?;
            if buffer.filled().len() == before {
                return Poll::Ready(Ok(()));
            }
            this.blocked.heard.fetch_add(1, Relaxed);
            this.sift(buffer, before);
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    #[derive(Debug)]
    struct Open;

    impl Gate for Open {
        fn admit(&mut self, bytes: &mut [u8]) -> usize {
            bytes.len()
        }

        fn is_closed(&self) -> bool {
            false
        }

        fn gathered(&mut self, _: &[u8]) {}

        fn written(&mut self, _: usize) {}
    }

    /// Admits three bytes at a time, in capitals, and closes at a full stop.
    #[derive(Debug, Default)]
    struct Threes(bool);

    impl Gate for Threes {
        fn admit(&mut self, bytes: &mut [u8]) -> usize {
            let stop = bytes.iter().position(|&byte| byte == b'.');
            self.0 = stop.is_some();
            let admitted = stop.unwrap_or(bytes.len()) / 3 * 3;
            bytes[..admitted].make_ascii_uppercase();
            admitted
        }

        fn is_closed(&self) -> bool {
            self.0
        }

        fn gathered(&mut self, _: &[u8]) {}

        fn written(&mut self, _: usize) {}
    }

    #[tokio::test(start_paused = true)]
    async fn only_what_is_admitted_can_be_read() {
        let (mut client, server) = tokio::io::duplex(1024);
        let mut wire = Wire::new(server, Threes::default());
        client.write_all(b"abcd").await.unwrap();
        let mut buffer = [0; 16];
        assert_eq!(wire.read(&mut buffer).await.unwrap(), 3);
        client.write_all(b"e").await.unwrap();
        let early = tokio::time::timeout(Duration::from_secs(1), wire.read(&mut buffer)).await;
        assert!(early.is_err());
        client.write_all(b"fghi.jkl").await.unwrap();
        // Less room than there is admitted.
        assert_eq!(wire.read(&mut buffer[..2]).await.unwrap(), 2);
        wire.read_exact(&mut buffer[2..6]).await.unwrap();
        assert_eq!(&buffer[..6], b"DEFGHI");
        drop(client);
        let closed = tokio::time::timeout(Duration::from_secs(1), wire.read(&mut buffer)).await;
        assert!(closed.is_err());
    }

    #[tokio::test]
    async fn many_small_writes_leave_as_one() {
        let (client, mut server) = tokio::io::duplex(1024);
        let mut wire = Wire::new(client, Open);
        wire.write_all(b"one").await.unwrap();
        wire.write_all(b"two").await.unwrap();
        let mut buffer = [0; 16];
        let early = tokio::time::timeout(Duration::ZERO, server.read(&mut buffer)).await;
        assert!(early.is_err(), "nothing leaves before the flush");
        wire.flush().await.unwrap();
        assert_eq!(server.read(&mut buffer).await.unwrap(), 6);
    }

    #[tokio::test(start_paused = true)]
    async fn a_peer_that_does_not_read_is_noticed() {
        let (client, mut server) = tokio::io::duplex(16);
        let mut wire = Wire::new(client, Open);
        let blocked = wire.blocked();
        let write = tokio::spawn(async move {
            wire.write_all(&[0; 64]).await.unwrap();
            wire.flush().await.unwrap();
        });
        tokio::time::sleep(Duration::from_secs(1)).await;
        assert!(blocked.since().is_some());
        let mut sink = [0; 64];
        server.read_exact(&mut sink).await.unwrap();
        write.await.unwrap();
        assert!(blocked.since().is_none());
    }
}
