//! The wire between the client and the parser.

use std::future::Future;
use std::io::{self, IoSlice};
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};

use bytes::BytesMut;
use hyper::rt::{Read, ReadBufCursor, Write};
use tokio::io::{AsyncRead, AsyncWrite};

use super::inlet::{Inlet, Step};
use super::line::Line;
use crate::writer::{Blocked, Wire};

/// Both directions of a connection.
#[derive(Debug)]
pub(super) struct Link<T> {
    pub(super) wire: Wire<T, ()>,
    pub(super) inlet: Inlet,
}

/// The end of a link that the parser has. The connection's task looks at the link as well, and never at the same time.
#[derive(Debug)]
pub(super) struct ParserEnd<'a, T> {
    link: &'a Mutex<Link<T>>,
    line: &'a Line,
}

impl<T: AsyncRead + AsyncWrite + Unpin> Link<T> {
    pub(super) fn new(io: T, first: BytesMut, max_fields_size: usize, blocked: Arc<Blocked>) -> Self {
        Link { wire: Wire::new(io, (), blocked), inlet: Inlet::new(first, max_fields_size) }
    }

    fn poll_fill(&mut self, cx: &mut Context<'_>, room: usize) -> Poll<io::Result<usize>> {
        // The read keeps nothing from one poll to the next.
        pin!(self.inlet.read(self.wire.io_mut(), room)).poll(cx)
    }

    /// Reads ahead while the application works; ready when the client is gone. One that has ended its half may well wait
    /// for its response.
    pub(super) fn poll_gone(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        const ROOM: usize = 1024;
        while self.inlet.may_read_ahead() {
            if ready!(self.poll_fill(cx, ROOM)).is_err() {
                return Poll::Ready(());
            }
        }
        Poll::Pending
    }
}

impl<'a, T> ParserEnd<'a, T> {
    pub(super) fn new(link: &'a Mutex<Link<T>>, line: &'a Line) -> Self {
        ParserEnd { link, line }
    }

    fn lock(&self) -> MutexGuard<'a, Link<T>> {
        self.link.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What is written next comes after the interim responses that were sent before. The parser has nothing of an earlier
    /// response left then: it reads a request only when the response before is written.
    fn writing(&self) -> MutexGuard<'a, Link<T>> {
        let mut link = self.lock();
        self.line.take_interim(|bytes| link.wire.enqueue(bytes));
        link
    }
}

impl<T: AsyncRead + AsyncWrite + Unpin> Read for ParserEnd<'_, T> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        mut cursor: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        let mut link = self.lock();
        loop {
            match link.inlet.step() {
                Step::Pass => {
                    let ready = link.inlet.ready();
                    let count = ready.len().min(cursor.remaining());
                    cursor.put_slice(&ready[..count]);
                    link.inlet.pass(count);
                    return Poll::Ready(Ok(()));
                }
                Step::Read(room) => {
                    if ready!(link.poll_fill(cx, room))? == 0 {
                        return Poll::Ready(Ok(()));
                    }
                }
                // The connection's task sees why as soon as there is nothing to read.
                Step::Refused => return Poll::Pending,
            }
        }
    }
}

impl<T: AsyncWrite + Unpin> Write for ParserEnd<'_, T> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.writing().wire).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.writing().wire).poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.writing().wire).poll_flush(cx)
    }

    /// How the connection ends is its task's affair.
    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_flush(cx)
    }
}
