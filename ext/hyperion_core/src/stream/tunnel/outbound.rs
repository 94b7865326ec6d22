//! From the application to the client.

use std::cell::RefCell;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use bytes::{Bytes, BytesMut};
use http::header::CONTENT_LENGTH;
use thiserror::Error;
use tokio::net::unix::OwnedReadHalf;

use crate::body::{ChunkError, ChunkedDecoder, Decoded};
use crate::response::Head;

/// Reads what the application writes to its socket.
#[derive(Debug)]
pub(crate) struct Outbound {
    socket: OwnedReadHalf,
    /// Read, and not taken yet.
    buffer: BytesMut,
    framing: Framing,
    failed: Arc<AtomicBool>,
}

/// Where the body ends that the application writes.
#[derive(Debug)]
enum Framing {
    /// With its socket.
    Close,
    /// After so many bytes, of which so many are left.
    Length(u64, u64),
    /// With the last chunk.
    Chunked(ChunkedDecoder),
}

/// What there is to take.
#[derive(Debug)]
pub(crate) enum Piece {
    Data(Bytes),
    /// Nothing before [`Outbound::readable`].
    Nothing,
    End,
}

/// What the application wrote is not what it said it would be.
#[derive(Debug, Error)]
pub(crate) enum Broken {
    #[error("the application failed while it wrote")]
    Application,
    #[error("content-length is {0}, the body is shorter")]
    Short(u64),
    #[error("the body ends before its last chunk")]
    Unchunked,
    #[error("the body is malformed: {0}")]
    Chunk(#[from] ChunkError),
    #[error("the application's socket failed: {0}")]
    Io(#[from] io::Error),
}

/// Bytes read at once at most.
const READ: usize = 64 * 1024;

thread_local! {
    /// What is read goes through here, so that a tunnel in which nothing moves has no buffer.
    static SCRATCH: RefCell<Box<[u8]>> = RefCell::new(vec![0; READ].into());
}

impl Framing {
    /// That of the body which follows this head (RFC 9112, section 6.3).
    fn of(head: &Head) -> Self {
        if head.is_chunked() {
            return Framing::Chunked(ChunkedDecoder::default());
        }
        head.content_length().map_or(Framing::Close, |length| Framing::Length(length, length))
    }

    /// The next piece of what was read.
    fn next(&mut self, bytes: &mut BytesMut, max: usize) -> Result<Piece, ChunkError> {
        match self {
            Framing::Length(_, 0) => Ok(Piece::End),
            Framing::Chunked(decoder) => Ok(match decoder.decode(bytes, max)? {
                Decoded::Data(data) => Piece::Data(data),
                Decoded::Nothing => Piece::Nothing,
                Decoded::End => Piece::End,
            }),
            _ if bytes.is_empty() => Ok(Piece::Nothing),
            Framing::Length(_, left) => {
                let count = bytes.len().min(max).min(usize::try_from(*left).unwrap_or(usize::MAX));
                *left -= count as u64;
                Ok(Piece::Data(bytes.split_to(count).freeze()))
            }
            Framing::Close => Ok(Piece::Data(bytes.split_to(bytes.len().min(max)).freeze())),
        }
    }

    /// The application has closed its socket.
    fn close(&self) -> Result<Piece, Broken> {
        match self {
            Framing::Length(length, left) if *left > 0 => Err(Broken::Short(*length)),
            Framing::Chunked(decoder) if !decoder.is_over() => Err(Broken::Unchunked),
            _ => Ok(Piece::End),
        }
    }
}

impl Outbound {
    pub(super) fn new(socket: OwnedReadHalf, failed: Arc<AtomicBool>) -> Self {
        Outbound { socket, buffer: BytesMut::new(), framing: Framing::Close, failed }
    }

    /// What comes next is the body of this head, as HTTP/1.1 frames it. Answers the head without what says so twice.
    pub(crate) fn begin(&mut self, head: Head) -> Head {
        self.framing = Framing::of(&head);
        match self.framing {
            // RFC 9112, section 6.3: the length is of no account then.
            Framing::Chunked(_) => head.changed(head.status(), |name| *name == CONTENT_LENGTH),
            Framing::Length(..) | Framing::Close => head,
        }
    }

    /// Resolves when there is something to read.
    pub(crate) async fn readable(&self) -> io::Result<()> {
        self.socket.readable().await
    }

    /// The next piece of the body, of at most `max` bytes. Never waits.
    pub(crate) fn take(&mut self, max: usize) -> Result<Piece, Broken> {
        loop {
            match self.framing.next(&mut self.buffer, max)? {
                Piece::Nothing => {}
                piece => return Ok(piece),
            }
            match self.read(max)? {
                None => return Ok(Piece::Nothing),
                Some(0) if self.failed.load(Relaxed) => return Err(Broken::Application),
                Some(0) => return self.framing.close(),
                Some(_) => {}
            }
        }
    }

    /// Reads more into [`Outbound::buffer`]: how many bytes, 0 at the end, nothing when none are there now.
    pub(super) fn read(&mut self, max: usize) -> io::Result<Option<usize>> {
        SCRATCH.with_borrow_mut(|scratch| match self.socket.try_read(&mut scratch[..max.min(READ)]) {
            Ok(count) => {
                self.buffer.extend_from_slice(&scratch[..count]);
                Ok(Some(count))
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(None),
            // It was closed before all of what the client had sent was read.
            Err(error) if error.kind() == io::ErrorKind::ConnectionReset => Ok(Some(0)),
            Err(error) => Err(error),
        })
    }

    /// What was read and not taken.
    pub(super) fn buffer(&mut self) -> &mut BytesMut {
        &mut self.buffer
    }

    /// Whether the application has closed its socket in both directions, and not merely the one that it writes.
    pub(crate) fn is_abandoned(&self) -> bool {
        // Nothing is written; a socket that nobody reads says so nevertheless.
        let written = self.socket.as_ref().try_write(&[]);
        written.is_err_and(|error| error.kind() != io::ErrorKind::WouldBlock)
    }
}

#[cfg(test)]
mod tests {
    use std::net::Shutdown;
    use std::os::unix::net::UnixStream as Socket;

    use super::super::{Link, Tunnel};
    use super::*;

    fn tunnel() -> (Socket, Tunnel) {
        let (ours, theirs) = Socket::pair().unwrap();
        (theirs, Link::new(ours, None).open(false).unwrap())
    }

    #[tokio::test]
    async fn a_closed_direction_is_told_from_a_closed_socket() {
        let (theirs, tunnel) = tunnel();
        assert!(!tunnel.outbound.is_abandoned());
        theirs.shutdown(Shutdown::Write).unwrap();
        tunnel.outbound.readable().await.unwrap();
        assert!(!tunnel.outbound.is_abandoned());
        drop(theirs);
        assert!(tunnel.outbound.is_abandoned());
    }

    #[tokio::test]
    async fn what_was_written_before_a_close_is_read_even_when_the_closer_left_bytes_unread() {
        let (theirs, mut tunnel) = tunnel();
        tunnel.outbound.socket.as_ref().writable().await.unwrap();
        tunnel.outbound.socket.as_ref().try_write(b"unread").unwrap();
        std::io::Write::write_all(&mut &theirs, b"written").unwrap();
        drop(theirs);
        tunnel.outbound.readable().await.unwrap();
        let Piece::Data(bytes) = tunnel.outbound.take(64).unwrap() else { panic!() };
        assert_eq!(bytes, "written");
        assert!(matches!(tunnel.outbound.take(64), Ok(Piece::End)));
    }
}
