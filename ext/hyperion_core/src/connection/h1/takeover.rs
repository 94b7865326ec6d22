//! A connection that leaves HTTP: before any response to its present request, with all that the client has sent beyond
//! that request.

use std::fmt;

use bytes::Bytes;
use http::StatusCode;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::oneshot;

use super::line::{Answer, H1Reply};
use crate::response::{Outcome, Record};
use crate::shutdown::{Permit, Phase};

/// A byte stream of any kind, with or without TLS.
pub trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}

impl<T: AsyncRead + AsyncWrite + Unpin + Send> Stream for T {}

/// A connection that was taken over. Whoever has it ends it.
pub struct Taken {
    /// The connection. What it brings comes after `read`.
    pub io: Box<dyn Stream>,
    /// What was read of the client before.
    pub read: Bytes,
    /// To be kept for as long as the connection is used.
    pub hold: Hold,
}

/// As long as it lives, the request counts as being served, and the graceful stop waits for it.
pub struct Hold {
    permit: Permit,
    record: Box<Record>,
}

/// The wish to take a connection over.
pub(super) struct TakeOver {
    record: Box<Record>,
    taken: oneshot::Sender<Taken>,
}

/// A connection on its way to whoever takes it over.
#[derive(Debug)]
pub struct Taking(oneshot::Receiver<Taken>);

impl Taking {
    /// The connection, when all that was sent before is written; `None` when it is gone. For any executor.
    pub async fn wait(self) -> Option<Taken> {
        self.0.await.ok()
    }
}

impl Hold {
    /// Resolves when the graceful stop begins, or has begun.
    pub async fn draining(&mut self) {
        self.permit.reached(Phase::Draining).await;
    }

    /// Resolves when `shutdown_timeout` is over: what is left has to go.
    pub async fn closing(&mut self) {
        self.permit.reached(Phase::Closing).await;
    }

    /// For somebody else who has to know how far the stop has come.
    pub(super) fn permit(&self) -> Permit {
        self.permit.clone()
    }

    /// The response has begun with this status.
    pub fn begin(&mut self, status: StatusCode) {
        self.record.begin(status);
    }

    /// So many bytes were sent.
    pub fn sent(&mut self, bytes: u64) {
        self.record.sent(bytes);
    }

    /// Ends it, saying how it went; dropped without, it went as when the client goes away.
    pub fn end(mut self, outcome: Outcome) {
        self.record.end(outcome);
    }
}

impl H1Reply {
    /// Takes the connection out of HTTP.
    pub(crate) fn take_connection(self, record: Box<Record>) -> Taking {
        let (sender, receiver) = oneshot::channel();
        self.answer(Answer::TakeOver(TakeOver { record, taken: sender }));
        Taking(receiver)
    }
}

impl TakeOver {
    pub(super) fn hand_over(self, io: impl Stream + 'static, read: Bytes, permit: Permit) {
        let TakeOver { record, taken } = self;
        // One who does not wait any more drops the connection with this.
        let _ = taken.send(Taken { io: Box::new(io), read, hold: Hold { permit, record } });
    }
}

impl fmt::Debug for TakeOver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TakeOver").finish_non_exhaustive()
    }
}

impl fmt::Debug for Hold {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hold").finish_non_exhaustive()
    }
}

impl fmt::Debug for Taken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Taken").field("read", &self.read.len()).finish_non_exhaustive()
    }
}
