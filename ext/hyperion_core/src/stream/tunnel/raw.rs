//! A tunnel over a connection of its own: bytes go as they are, both ways.

use std::cell::RefCell;
use std::future::poll_fn;
use std::io;
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::task::ready;
use std::time::Duration;

use bytes::Bytes;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, ReadBuf, ReadHalf, WriteHalf};
use tokio::net::unix::OwnedWriteHalf;
use tokio::time::{timeout, timeout_at};

use super::{Ends, Outbound, Piece};
use crate::body::Incoming;
use crate::config::Timeouts;
use crate::limits::Stall;
use crate::response::Outcome;

/// What the client has sent before, and what it gets before anything else.
#[derive(Debug, Default)]
pub(crate) struct Beginning {
    pub(crate) received: Bytes,
    pub(crate) head: Bytes,
}

/// Why a tunnel ends before both sides have ended it.
enum Abort {
    Disconnected,
    TimedOut,
    Failed,
}

/// Bytes read at once.
const READ: usize = 16 * 1024;
/// For a client to notice that nobody listens any more: a connection that is closed before that may lose what it has
/// not read yet.
const NOTICE: Duration = Duration::from_secs(1);

thread_local! {
    /// What is read goes through here, so that a tunnel in which nothing moves has no buffer.
    static SCRATCH: RefCell<Box<[u8]>> = RefCell::new(vec![0; READ].into());
}

/// Carries bytes until both sides have ended, and closes the connection. Tells `sent` what the application has written, as
/// that goes out.
pub(crate) async fn carry<T>(
    io: T,
    beginning: Beginning,
    ends: Ends,
    timeouts: &Timeouts,
    sent: impl FnMut(&[u8]),
) -> Outcome
where
    T: AsyncRead + AsyncWrite,
{
    let Ends { written, read, body } = ends;
    let (reader, writer) = tokio::io::split(io);
    let moved = AtomicU64::new(0);
    let mut inbound = pin!(to_application(reader, beginning.received, body, read, &moved));
    let mut outbound = pin!(to_client(writer, beginning.head, written, timeouts.write, sent));
    let mut client_ended = false;
    let ended = loop {
        tokio::select! {
            biased;
            ended = &mut outbound => break ended,
            received = &mut inbound, if !client_ended => match received {
                Ok(()) => client_ended = true,
                Err(error) => break Err(error),
            },
        }
    };
    let written = match ended {
        Ok(written) => written,
        Err(Abort::Disconnected) => return Outcome::Disconnected,
        Err(Abort::TimedOut) => return Outcome::TimedOut,
        Err(Abort::Failed) => return Outcome::Failed,
    };
    // It may yet close the other direction, which nobody would tell us.
    while !client_ended {
        let (before, abandoned) = (moved.load(Relaxed), written.is_abandoned());
        let patience = if abandoned { NOTICE } else { timeouts.body };
        client_ended =
            timeout(patience, &mut inbound).await.is_ok() || abandoned || moved.load(Relaxed) == before;
    }
    Outcome::Sent
}

/// Writes what the client sends to the application, the rest of a request's body first. What the application does not
/// want to read any more is thrown away.
async fn to_application(
    mut client: ReadHalf<impl AsyncRead>,
    received: Bytes,
    body: Option<Incoming>,
    mut socket: OwnedWriteHalf,
    moved: &AtomicU64,
) -> Result<(), Abort> {
    let mut wanted = true;
    let mut pass = async |bytes: Bytes| {
        wanted = wanted && socket.write_all(&bytes).await.is_ok();
        moved.fetch_add(bytes.len() as u64, Relaxed);
    };
    if let Some(body) = body {
        // It ends early where the connection has left HTTP: the rest comes as it is.
        while let Ok(Some(bytes)) = poll_fn(|cx| body.poll_read(cx)).await {
            pass(bytes).await;
        }
    }
    pass(received).await;
    loop {
        match read(&mut client).await {
            Ok(bytes) if bytes.is_empty() => return Ok(()),
            Ok(bytes) => pass(bytes).await,
            Err(_) => return Err(Abort::Disconnected),
        }
    }
}

/// The next bytes of the client, none at its end.
async fn read(client: &mut ReadHalf<impl AsyncRead>) -> io::Result<Bytes> {
    poll_fn(|cx| {
        SCRATCH.with_borrow_mut(|scratch| {
            let mut buffer = ReadBuf::new(scratch);
            ready!(Pin::new(&mut *client).poll_read(cx, &mut buffer))?;
            Ok(Bytes::copy_from_slice(buffer.filled())).into()
        })
    })
    .await
}

/// Writes what the application writes, and the end after it.
async fn to_client(
    client: WriteHalf<impl AsyncWrite>,
    head: Bytes,
    mut written: Outbound,
    patience: Duration,
    mut sent: impl FnMut(&[u8]),
) -> Result<Outbound, Abort> {
    let mut client = Client { io: client, stall: Stall::new(patience) };
    client.write(head).await?;
    loop {
        // Of a failure the client sees as much as a connection can show.
        match written.take(READ).map_err(|_| Abort::Failed)? {
            Piece::Data(bytes) => {
                client.write(bytes.clone()).await?;
                sent(&bytes);
            }
            Piece::Nothing => {
                client.flush().await?;
                written.readable().await.map_err(|_| Abort::Failed)?;
            }
            Piece::End => {
                client.end().await?;
                return Ok(written);
            }
        }
    }
}

/// The writing half, and how patient we are with who reads it.
struct Client<W> {
    io: WriteHalf<W>,
    stall: Stall,
}

impl<W: AsyncWrite> Client<W> {
    async fn write(&mut self, mut bytes: Bytes) -> Result<(), Abort> {
        self.stall.restart();
        while !bytes.is_empty() {
            let count = self.within(async |io| io.write(&bytes).await).await?;
            if count == 0 {
                return Err(Abort::Disconnected);
            }
            self.stall.progress(count);
            bytes = bytes.slice(count..);
        }
        Ok(())
    }

    async fn flush(&mut self) -> Result<(), Abort> {
        self.within(async |io| io.flush().await).await
    }

    async fn end(&mut self) -> Result<(), Abort> {
        self.stall.restart();
        self.within(async |io| io.shutdown().await).await
    }

    async fn within<R>(
        &mut self,
        step: impl AsyncFnOnce(&mut WriteHalf<W>) -> io::Result<R>,
    ) -> Result<R, Abort> {
        match timeout_at(self.stall.deadline(), step(&mut self.io)).await {
            Ok(done) => done.map_err(|_| Abort::Disconnected),
            Err(_) => Err(Abort::TimedOut),
        }
    }
}

#[cfg(test)]
mod tests;
