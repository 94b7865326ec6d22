//! From the client to the application.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use tokio::io::AsyncWriteExt;
use tokio::net::unix::OwnedWriteHalf;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use crate::body::Incoming;

/// Writes what the client sends to the application's socket. Dropping it ends what the application reads.
#[derive(Debug)]
pub(crate) struct Inbound {
    state: State,
    moved: Arc<AtomicU64>,
}

#[derive(Debug)]
enum State {
    /// Nothing comes any more; the socket stays open for as long as the client is there.
    Quiet(#[allow(dead_code, reason = "dropping it is its use")] OwnedWriteHalf),
    /// A task is at it.
    Busy(JoinHandle<()>),
    /// The application reads the end.
    Over,
}

impl Inbound {
    /// The end of the body is the end of what the application reads. Without a body, an end would say that the client is
    /// gone, but for an `upgrade`, in which a client may have nothing to say.
    pub(super) fn new(body: Option<Incoming>, socket: OwnedWriteHalf, upgrade: bool) -> Self {
        let moved = Arc::default();
        let state = match body {
            Some(body) => State::Busy(tokio::spawn(feed(body, socket, Arc::clone(&moved)))),
            None if upgrade => State::Over,
            None => State::Quiet(socket),
        };
        Inbound { state, moved }
    }

    /// Waits until the client has ended its side, the application reads no further, or nothing has moved for
    /// `patience`.
    pub(crate) async fn finish(&mut self, patience: Duration) {
        let State::Busy(task) = &mut self.state else { return };
        loop {
            let before = self.moved.load(Relaxed);
            if timeout(patience, &mut *task).await.is_ok() {
                self.state = State::Over;
                return;
            }
            if self.moved.load(Relaxed) == before {
                return;
            }
        }
    }
}

impl Drop for Inbound {
    fn drop(&mut self) {
        if let State::Busy(task) = &self.state {
            task.abort();
        }
    }
}

async fn feed(body: Incoming, mut socket: OwnedWriteHalf, moved: Arc<AtomicU64>) {
    // A client that is gone is noticed by the other direction too, which ends the tunnel.
    while let Ok(Some(chunk)) = std::future::poll_fn(|cx| body.poll_read(cx)).await {
        if socket.write_all(&chunk).await.is_err() {
            // The application closes its end when it likes.
            return;
        }
        moved.fetch_add(chunk.len() as u64, Relaxed);
    }
}
