//! Which protocol a client speaks, by its first bytes.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::{Buf, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, ReadBuf};

/// The first line of the client preface (RFC 9113, section 3.4), which no HTTP/1.1 request has.
const PREFACE_LINE: &[u8] = b"PRI * HTTP/2.0\r\n";
/// Bytes read at once: what most heads fit in.
const READ: usize = 1024;

/// What the first bytes say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Guess {
    /// The client preface of HTTP/2.
    Http2,
    /// Anything else: what it is not will be told to it over HTTP/1.1.
    Http1,
}

/// A stream whose first bytes were read, and are read again.
#[derive(Debug)]
pub(crate) struct Rewind<T> {
    first: BytesMut,
    io: T,
}

impl<T> Rewind<T> {
    /// Nothing was read yet.
    pub(crate) fn new(io: T) -> Self {
        Rewind { first: BytesMut::new(), io }
    }

    /// The stream, and what was read of it.
    pub(crate) fn into_parts(self) -> (T, BytesMut) {
        (self.io, self.first)
    }

    /// Whether the client has said anything.
    pub(crate) fn has_heard(&self) -> bool {
        !self.first.is_empty()
    }
}

impl<T: AsyncRead + Unpin> Rewind<T> {
    /// Whether the client begins a request where it should begin a TLS handshake.
    pub(crate) async fn begins_in_clear(&mut self) -> io::Result<bool> {
        self.read_more().await?;
        // A handshake record has type 22 (RFC 8446, section 5.1), a method begins with a capital as a rule.
        Ok(self.first.first().is_some_and(u8::is_ascii_uppercase))
    }

    /// Reads no more than it takes to tell; `None` when the client has gone without a word.
    pub(crate) async fn guess(&mut self) -> io::Result<Option<Guess>> {
        loop {
            let count = self.first.len().min(PREFACE_LINE.len());
            if self.first[..count] != PREFACE_LINE[..count] {
                return Ok(Some(Guess::Http1));
            }
            if count == PREFACE_LINE.len() {
                return Ok(Some(Guess::Http2));
            }
            if self.read_more().await? == 0 {
                return Ok(self.has_heard().then_some(Guess::Http1));
            }
        }
    }

    async fn read_more(&mut self) -> io::Result<usize> {
        self.first.reserve(READ);
        self.io.read_buf(&mut self.first).await
    }
}

impl<T: AsyncRead + Unpin> AsyncRead for Rewind<T> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.first.is_empty() {
            return Pin::new(&mut self.io).poll_read(cx, buffer);
        }
        let count = self.first.len().min(buffer.remaining());
        buffer.put_slice(&self.first[..count]);
        self.first.advance(count);
        if self.first.is_empty() {
            // Gives the buffer back that it was a part of.
            self.first = BytesMut::new();
        }
        Poll::Ready(Ok(()))
    }
}

impl<T: AsyncWrite + Unpin> AsyncWrite for Rewind<T> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write_vectored(cx, slices)
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
    use tokio::io::AsyncWriteExt;

    use super::*;

    async fn guess(bytes: &[u8]) -> Option<Guess> {
        let (mut client, server) = tokio::io::duplex(64);
        client.write_all(bytes).await.unwrap();
        client.shutdown().await.unwrap();
        let mut server = Rewind::new(server);
        let guess = server.guess().await.unwrap();
        let mut again = Vec::new();
        server.read_to_end(&mut again).await.unwrap();
        assert_eq!(again, bytes);
        guess
    }

    #[tokio::test]
    async fn the_preface_is_told_from_a_request() {
        assert_eq!(guess(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await, Some(Guess::Http2));
        for other in [&b"GET / HTTP/1.1\r\n"[..], b"P", b"PRI * HTTP/1.1\r\n", b"\x16\x03\x01"] {
            assert_eq!(guess(other).await, Some(Guess::Http1), "{other:?}");
        }
        assert_eq!(guess(b"").await, None);
    }

    #[tokio::test]
    async fn no_more_is_waited_for_than_it_takes() {
        let (mut client, server) = tokio::io::duplex(64);
        client.write_all(b"PO").await.unwrap();
        assert_eq!(Rewind::new(server).guess().await.unwrap(), Some(Guess::Http1));
    }
}
