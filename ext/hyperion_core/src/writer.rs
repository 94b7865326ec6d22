//! The plaintext side of a connection: gathers the frames of a round into few large writes, lets in what the gate
//! admits.

mod blocked;

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::{Buf, BytesMut};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

pub(crate) use blocked::{Blocked, Watched};

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
pub(crate) const GATHER: usize = 64 * 1024;
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
    blocked: Arc<Blocked>,
}

impl<T, G> Wire<T, G> {
    /// `blocked` is told of by the [`Watched`] socket below `io`.
    pub(crate) fn new(io: T, gate: G, blocked: Arc<Blocked>) -> Self {
        Wire { io, gate, held: BytesMut::new(), admitted: 0, gathered: BytesMut::new(), blocked }
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
}

impl<T: AsyncWrite + Unpin, G: Gate> Wire<T, G> {
    /// Makes room for some of `wanted` bytes.
    fn poll_room(&mut self, cx: &mut Context<'_>, wanted: usize) -> Poll<io::Result<()>> {
        ready!(self.poll_drain(cx, GATHER - 1))?;
        if self.gathered.len().saturating_add(wanted) > KEEP {
            // At once for what is likely to follow.
            self.gathered.reserve(GATHER - self.gathered.len());
        }
        Poll::Ready(Ok(()))
    }

    /// Writes until `left` bytes or fewer are gathered.
    fn poll_drain(&mut self, cx: &mut Context<'_>, left: usize) -> Poll<io::Result<()>> {
        while self.gathered.len() > left {
            let written = ready!(Pin::new(&mut self.io).poll_write(cx, &self.gathered))?;
            if written == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.gathered.advance(written);
            self.gate.written(written);
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
        ready!(this.poll_room(cx, bytes.len()))?;
        Poll::Ready(Ok(this.gather(bytes)))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        ready!(this.poll_room(cx, slices.iter().map(|slice| slice.len()).sum()))?;
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
        let flushed = ready!(Pin::new(&mut this.io).poll_flush(cx));
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
            this.blocked.hear();
            this.sift(buffer, before);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

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
        let mut wire = Wire::new(server, Threes::default(), Blocked::new());
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
        let mut wire = Wire::new(client, Open, Blocked::new());
        wire.write_all(b"one").await.unwrap();
        wire.write_all(b"two").await.unwrap();
        let mut buffer = [0; 16];
        let early = tokio::time::timeout(Duration::ZERO, server.read(&mut buffer)).await;
        assert!(early.is_err(), "nothing leaves before the flush");
        wire.flush().await.unwrap();
        assert_eq!(server.read(&mut buffer).await.unwrap(), 6);
    }
}
