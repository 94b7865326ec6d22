//! Sends a response body under flow control, and lets go of a client that takes nothing.

use std::io;
use std::sync::Arc;

use bytes::Bytes;
use h2::{Reason, SendStream};
use tokio::time::timeout_at;

use crate::body::{BodyFailure, Charge, Chunk, ConnectionMemory, FileBody, ResponseBody};
use crate::connection::{H2SendBuf as SendBuf, H2Shared as Shared};
use crate::limits::Stall;
use crate::report::{Event, Level};
use crate::response::{Outcome, Payload, Record};

/// A response body on its way out.
pub(crate) struct Download {
    stream: SendStream<SendBuf>,
    shared: Arc<Shared>,
    record: Option<Box<Record>>,
    stall: Stall,
}

/// Why a body was not sent to its end.
enum Abort {
    /// The client reset the stream or the connection is gone.
    Disconnected,
    /// The client took nothing.
    TimedOut,
    /// The application gave up; it has logged why.
    Application,
    /// A file could not be read.
    Io(io::Error),
}

/// Bytes asked of flow control at once, so that the streams of a connection take turns.
const TURN: usize = 64 * 1024;

impl Download {
    pub(crate) fn new(stream: SendStream<SendBuf>, shared: Arc<Shared>, record: Box<Record>) -> Self {
        let stall = Stall::new(shared.server.config.timeouts.write);
        Download { stream, shared, record: Some(record), stall }
    }

    /// Sends a whole body that flow control did not let through at once.
    pub(crate) async fn send_full(mut self, bytes: Bytes, charge: Charge) {
        let sent = self.push(bytes, charge, true).await;
        self.settle(sent);
    }

    /// Sends a body that comes in pieces.
    pub(crate) async fn send(mut self, body: Payload) {
        let sent = match body {
            Payload::Stream(body) => self.send_stream(body).await,
            Payload::File(file) => self.send_file(file).await,
            Payload::Full(bytes, charge) => self.push(bytes, charge, true).await,
            Payload::Empty => self.finish(),
        };
        self.settle(sent);
    }

    async fn send_stream(&mut self, mut body: ResponseBody) -> Result<(), Abort> {
        loop {
            let next = tokio::select! {
                biased;
                next = body.next() => next?,
                // Reset or lost: either way nobody waits for the next piece.
                _ = std::future::poll_fn(|cx| self.stream.poll_reset(cx)) => return Err(Abort::Disconnected),
            };
            match next {
                Chunk::Data { bytes, charge, last } => {
                    self.push(bytes, charge, last).await?;
                    if last {
                        return Ok(());
                    }
                }
                Chunk::End(None) => return self.finish(),
                Chunk::End(Some(trailers)) => {
                    self.stream.send_trailers(trailers).map_err(|_| Abort::Disconnected)?;
                    self.end(Outcome::Sent);
                    return Ok(());
                }
            }
        }
    }

    async fn send_file(&mut self, mut file: FileBody) -> Result<(), Abort> {
        while let Some(bytes) = file.next().await.map_err(Abort::Io)? {
            let charge = self.memory().charge(bytes.len());
            self.push(bytes, charge, file.is_empty()).await?;
        }
        Ok(())
    }

    /// Sends `bytes` as the peer's windows allow.
    async fn push(&mut self, mut bytes: Bytes, mut charge: Charge, last: bool) -> Result<(), Abort> {
        self.stall.restart();
        while !bytes.is_empty() {
            let count = self.capacity(bytes.len()).await?;
            let (part, end) = (bytes.split_to(count), last && bytes.is_empty());
            let record = if end { self.record.take() } else { None };
            let buffer = SendBuf::new(part, charge.split(count), record, self.shared.traffic.clone());
            self.stream.send_data(buffer, end).map_err(|_| Abort::Disconnected)?;
            self.stall.progress(count);
        }
        Ok(())
    }

    /// How many of `wanted` bytes may be sent now; at least one.
    async fn capacity(&mut self, wanted: usize) -> Result<usize, Abort> {
        self.stream.reserve_capacity(wanted.min(TURN));
        loop {
            let ready = self.stream.capacity();
            if ready > 0 {
                return Ok(ready.min(wanted));
            }
            let granted = std::future::poll_fn(|cx| self.stream.poll_capacity(cx));
            match timeout_at(self.stall.deadline(), granted).await {
                Ok(Some(Ok(_))) => {}
                Ok(Some(Err(_)) | None) => return Err(Abort::Disconnected),
                Err(_) => return Err(Abort::TimedOut),
            }
        }
    }

    /// Ends a body whose last bytes went before.
    fn finish(&mut self) -> Result<(), Abort> {
        let memory = self.memory().charge(0);
        let buffer = SendBuf::new(Bytes::new(), memory, self.record.take(), self.shared.traffic.clone());
        self.stream.send_data(buffer, true).map_err(|_| Abort::Disconnected)
    }

    fn settle(mut self, sent: Result<(), Abort>) {
        let Err(abort) = sent else { return };
        let (outcome, reason) = match abort {
            Abort::Disconnected => (Outcome::Disconnected, Reason::CANCEL),
            Abort::TimedOut => (Outcome::TimedOut, Reason::CANCEL),
            Abort::Application => (Outcome::Failed, Reason::INTERNAL_ERROR),
            Abort::Io(error) => {
                let (stream_id, reason) = (self.stream.stream_id().as_u32(), error.to_string());
                self.shared.report(Level::Error, &Event::BodyFailed { stream_id, reason });
                (Outcome::Failed, Reason::INTERNAL_ERROR)
            }
        };
        self.end(outcome);
        self.stream.send_reset(reason);
    }

    fn end(&mut self, outcome: Outcome) {
        if let Some(mut record) = self.record.take() {
            record.end(outcome);
        }
    }

    fn memory(&self) -> &Arc<ConnectionMemory> {
        &self.shared.memory
    }
}

impl From<BodyFailure> for Abort {
    fn from(failure: BodyFailure) -> Self {
        match failure {
            BodyFailure::Application => Abort::Application,
            BodyFailure::Io(error) => Abort::Io(error),
        }
    }
}
