//! A tunnel: one end of a pair of sockets, of which the application has the other. What the application writes goes to
//! the client, what the client sends goes to the application. The kernel's buffers are all that waits in between: a
//! side that does not read holds up the other one.

mod hijack;
mod inbound;
mod outbound;
mod raw;
mod raw_head;

use std::io;
use std::os::unix::net::UnixStream as Socket;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use tokio::net::UnixStream;
use tokio::net::unix::OwnedWriteHalf;

use crate::body::{Claim, Incoming};
pub(crate) use hijack::answer_by_hand;
pub(crate) use inbound::Inbound;
pub(crate) use outbound::{Broken, Outbound, Piece};
pub(crate) use raw::{Beginning, carry};

/// What is needed to open a tunnel, from whichever thread it comes.
#[derive(Debug)]
pub(crate) struct Link {
    socket: Socket,
    body: Option<Incoming>,
    failed: Arc<AtomicBool>,
}

/// Both directions.
#[derive(Debug)]
pub(crate) struct Tunnel {
    pub(crate) outbound: Outbound,
    pub(crate) inbound: Inbound,
}

/// Both directions, before anything was done about them.
#[derive(Debug)]
pub(crate) struct Ends {
    /// What the application writes.
    written: Outbound,
    /// Where the application reads.
    read: OwnedWriteHalf,
    /// What it reads first.
    body: Option<Incoming>,
}

/// Tells a tunnel that the application failed: what it wrote is not all that it would have written.
#[derive(Debug)]
pub struct Failure(Arc<AtomicBool>);

impl Failure {
    /// To be called before the application's end is closed.
    pub fn set(&self) {
        self.0.store(true, Relaxed);
    }
}

impl Link {
    /// The rest of the request's body is the first that the application reads.
    pub(crate) fn new(socket: Socket, body: Option<Claim>) -> Self {
        Link { socket, body: body.map(Claim::take), failed: Arc::default() }
    }

    pub(crate) fn failure(&self) -> Failure {
        Failure(self.failed.clone())
    }

    /// Opens the tunnel; on the reactor.
    pub(crate) fn open(self, upgrade: bool) -> io::Result<Tunnel> {
        let Ends { written, read, body } = self.split()?;
        Ok(Tunnel { outbound: written, inbound: Inbound::new(body, read, upgrade) })
    }

    /// Opens the two directions apart; on the reactor.
    pub(crate) fn split(self) -> io::Result<Ends> {
        let Link { socket, body, failed } = self;
        socket.set_nonblocking(true)?;
        let (reader, writer) = UnixStream::from_std(socket)?.into_split();
        Ok(Ends { written: Outbound::new(reader, failed), read: writer, body })
    }
}
