//! Sends a response body under flow control, and lets go of a client that takes nothing.

mod coded;
mod tunnel;

use std::future::poll_fn;
use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use h2::Reason;
use http::HeaderMap;
use tokio::time::timeout_at;

use super::queue::Queue;
use crate::body::{BodyFailure, Charge, Chunk, ConnectionMemory, FileBody, Overdraft, ResponseBody};
use crate::limits::Patience;
use crate::report::{Event, Level};
use crate::response::{Outcome, Payload, Record};
use crate::service::Context as Server;
use crate::stream::tunnel::Tunnel;

/// Where a body leaves: a stream, or a connection that has no streams.
pub(crate) trait Outlet: Send {
    /// Bytes asked of flow control, and sent, at once, so that the streams of a connection take turns. With what frames
    /// them they are no more than the wire gathers, or the rest would be a write of its own.
    const TURN: usize;

    fn server(&self) -> &Server;

    fn memory(&self) -> &Arc<ConnectionMemory>;

    /// What is not written yet.
    fn queue(&self) -> &Arc<Queue>;

    /// 0 for HTTP/1.1.
    fn stream_id(&self) -> u32;

    /// Asks for room for so many bytes.
    fn reserve(&mut self, wanted: usize);

    /// How many bytes there is room for; at least one.
    fn poll_capacity(&mut self, cx: &mut Context<'_>) -> Poll<Result<usize, Closed>>;

    fn send(&mut self, bytes: Bytes, charge: Charge, end: bool) -> Result<(), Closed>;

    fn send_trailers(&mut self, trailers: HeaderMap) -> Result<(), Closed>;

    /// Resolves when nothing more can be sent.
    fn poll_closed(&mut self, cx: &mut Context<'_>) -> Poll<()>;

    /// Resolves when the stop has begun, and conversations without an end have had their time to part.
    fn parted(&self) -> impl Future<Output = ()> + Send + use<Self>;

    /// Whether it was closed because the client took nothing.
    fn has_timed_out(&self) -> bool {
        false
    }

    /// Ends the response in a way that shows that it is not complete.
    fn reset(&mut self, reason: Reason);
}

/// The client reset the stream or the connection is gone.
#[derive(Debug)]
pub(crate) struct Closed;

/// A response body on its way out.
pub(crate) struct Download<O> {
    outlet: O,
    record: Option<Box<Record>>,
    patience: Patience,
    queue: Arc<Queue>,
    overdraft: Arc<Overdraft>,
    /// Bytes sent since another stream could ask for the windows.
    turn: usize,
    /// Bytes queued so far, written or not.
    queued: u64,
}

/// Why a body was not sent to its end.
enum Abort {
    /// The client reset the stream or the connection is gone.
    Disconnected,
    /// The client took nothing.
    TimedOut,
    /// The application gave up; it has logged why.
    Application,
    /// The body is not as long as the head said (RFC 9113, section 8.1.1).
    Length(u64),
    /// What the application wrote by hand is not what it said.
    Malformed(String),
    /// A file could not be read.
    Io(io::Error),
}

/// Turns read from a file at once: so many that the hop to a blocking thread does not show.
const READ: usize = 4;
/// Bytes read at least, also beyond the memory that the connection may hold.
const MIN_READ: usize = 16 * 1024;

impl<O: Outlet> Download<O> {
    pub(crate) fn new(outlet: O, record: Box<Record>) -> Self {
        let patience = Patience::new(outlet.server().config.timeouts.write);
        let (queue, overdraft) = (outlet.queue().clone(), Arc::default());
        Download { outlet, record: Some(record), patience, queue, overdraft, turn: 0, queued: 0 }
    }

    /// Sends a whole body that flow control did not let through at once.
    pub(crate) async fn send_full(mut self, bytes: Bytes, charge: Charge) {
        let sent = self.push(bytes, charge, true).await;
        self.settle(sent).await;
    }

    /// Sends a body that comes in pieces, of the length that the head has, if it has one.
    pub(crate) async fn send(mut self, body: Payload, length: Option<u64>) {
        let sent = match body {
            Payload::Stream(body, _) => self.send_stream(body, length).await,
            Payload::Coded(body) => self.send_coded(body).await,
            Payload::File(file) => self.send_file(file).await,
            Payload::Tunnel(tunnel) => self.send_tunnel(tunnel, false).await,
            Payload::Full(bytes, charge) => self.push(bytes, charge, true).await,
            Payload::Empty => self.finish(),
        };
        self.settle(sent).await;
    }

    /// Sends what the application writes in a conversation with the client.
    pub(crate) async fn converse(mut self, tunnel: Tunnel) {
        let sent = self.send_tunnel(tunnel, true).await;
        self.settle(sent).await;
    }

    async fn send_stream(&mut self, mut body: ResponseBody, length: Option<u64>) -> Result<(), Abort> {
        let mut left = length;
        loop {
            match self.next_piece(&mut body).await? {
                Chunk::Spilled(_) => {}
                Chunk::Data { bytes, charge, last } => {
                    if let (Some(left), Some(length)) = (&mut left, length) {
                        let rest = left.checked_sub(bytes.len() as u64).ok_or(Abort::Length(length))?;
                        *left = if last && rest > 0 { return Err(Abort::Length(length)) } else { rest };
                    }
                    self.push(bytes, charge, last).await?;
                    if last {
                        return Ok(());
                    }
                }
                Chunk::End(_) if left.is_some_and(|left| left > 0) => {
                    return Err(Abort::Length(length.unwrap_or_default()));
                }
                Chunk::End(None) => return self.finish(),
                Chunk::End(Some(trailers)) => {
                    return Ok(self.outlet.send_trailers(trailers)?);
                }
            }
        }
    }

    /// The next piece of a body, if the client is still there to take it.
    async fn next_piece(&mut self, body: &mut ResponseBody) -> Result<Chunk, Abort> {
        let next = tokio::select! {
            biased;
            next = body.next() => next?,
            abort = self.watch() => return Err(abort),
        };
        match next {
            Chunk::Spilled(count) => {
                let charge = self.read_charge(count).await?;
                Ok(body.load(charge).await?)
            }
            next => Ok(next),
        }
    }

    async fn send_file(&mut self, mut file: FileBody) -> Result<(), Abort> {
        while !file.is_empty() {
            let charge = self.read_charge(file.len()).await?;
            if let Some(bytes) = file.read(charge.bytes()).await.map_err(Abort::Io)? {
                self.push(bytes, charge, file.is_empty()).await?;
            }
        }
        Ok(())
    }

    /// Waits until something may be sent, and charges what may be read of the `left` bytes then: a client that takes
    /// nothing holds no memory.
    async fn read_charge(&mut self, left: u64) -> Result<Charge, Abort> {
        let left = usize::try_from(left).unwrap_or(usize::MAX);
        self.patience.restart();
        // The others have theirs while this one reads.
        self.turn = 0;
        let window = self.capacity(left.min(READ * O::TURN)).await?;
        let wanted = window.max(MIN_READ).min(left);
        loop {
            let memory = self.memory();
            let charge =
                memory.try_charge(wanted).or_else(|| memory.overdraw(wanted.min(MIN_READ), &self.overdraft));
            match charge {
                Some(charge) => return Ok(charge),
                // Soon: the piece had a window.
                None => {
                    let returned = self.overdraft.returned();
                    within(&mut self.patience, &self.queue, returned).await?;
                }
            }
        }
    }

    /// Sends `bytes` as the peer's windows allow.
    async fn push(&mut self, mut bytes: Bytes, mut charge: Charge, last: bool) -> Result<(), Abort> {
        self.patience.restart();
        while !bytes.is_empty() {
            let count = self.capacity(bytes.len().min(O::TURN - self.turn)).await?;
            let (part, end) = (bytes.split_to(count), last && bytes.is_empty());
            self.queue(part, charge.split(count), end)?;
            self.patience.progress(count);
            self.turn += count;
            if self.turn >= O::TURN {
                self.turn = 0;
                tokio::task::yield_now().await;
            }
        }
        Ok(())
    }

    /// How many of `wanted` bytes may be sent now; at least one.
    async fn capacity(&mut self, wanted: usize) -> Result<usize, Abort> {
        let Download { outlet, patience, queue, .. } = self;
        outlet.reserve(wanted);
        let granted = within(patience, queue, poll_fn(|cx| outlet.poll_capacity(cx))).await??;
        Ok(granted.min(wanted))
    }

    /// Ends a body whose last bytes went before.
    fn finish(&mut self) -> Result<(), Abort> {
        let memory = self.memory().charge(0);
        self.queue(Bytes::new(), memory, true)
    }

    fn queue(&mut self, bytes: Bytes, charge: Charge, end: bool) -> Result<(), Abort> {
        self.queued += bytes.len() as u64;
        Ok(self.outlet.send(bytes, charge, end)?)
    }

    /// Waits until all that is queued is written: the client may have taken back the window in which it was queued.
    async fn drained(&mut self) -> Result<(), Abort> {
        let Download { outlet, patience, queue, .. } = self;
        let drained = async {
            tokio::select! {
                biased;
                drained = queue.drained() => drained,
                () = poll_fn(|cx| outlet.poll_closed(cx)) => false,
            }
        };
        if within(patience, queue, drained).await? { Ok(()) } else { Err(Abort::Disconnected) }
    }

    /// Resolves when there is no use in waiting for the next piece.
    async fn watch(&mut self) -> Abort {
        self.turn = 0;
        if let Err(abort) = self.drained().await {
            return abort;
        }
        poll_fn(|cx| self.outlet.poll_closed(cx)).await;
        Abort::Disconnected
    }

    /// Ends the response, when all of it is written or it has failed.
    async fn settle(mut self, queued: Result<(), Abort>) {
        let sent = match queued {
            Err(abort @ (Abort::Disconnected | Abort::TimedOut)) => Err(abort),
            // What was sent before a failure is the client's all the same.
            queued => {
                let drained = self.drained().await;
                queued.and(drained)
            }
        };
        let Err(abort) = sent else { return self.end(Outcome::Sent) };
        let (outcome, reason) = match abort {
            Abort::Disconnected if self.outlet.has_timed_out() => (Outcome::TimedOut, Reason::CANCEL),
            Abort::Disconnected => (Outcome::Disconnected, Reason::CANCEL),
            Abort::TimedOut => (Outcome::TimedOut, Reason::CANCEL),
            Abort::Application => (Outcome::Failed, Reason::INTERNAL_ERROR),
            Abort::Length(length) => {
                self.complain(format!("content-length is {length}, the body has another length"));
                (Outcome::Failed, Reason::INTERNAL_ERROR)
            }
            Abort::Malformed(reason) => {
                self.complain(reason);
                (Outcome::Failed, Reason::INTERNAL_ERROR)
            }
            Abort::Io(error) => {
                let (stream_id, reason) = (self.outlet.stream_id(), error.to_string());
                self.outlet.server().report(Level::Error, &Event::BodyFailed { stream_id, reason });
                (Outcome::Failed, Reason::INTERNAL_ERROR)
            }
        };
        self.end(outcome);
        self.outlet.reset(reason);
    }

    fn complain(&self, reason: String) {
        let stream_id = self.outlet.stream_id();
        self.outlet.server().report(Level::Warn, &Event::ResponseError { stream_id, reason });
    }

    fn end(&mut self, outcome: Outcome) {
        if let Some(mut record) = self.record.take() {
            record.sent(self.queued - self.queue.waiting() as u64);
            record.end(outcome);
        }
    }

    fn memory(&self) -> &Arc<ConnectionMemory> {
        self.outlet.memory()
    }
}

/// What `wait` resolves to, if the client lets it.
async fn within<T>(
    patience: &mut Patience,
    queue: &Queue,
    wait: impl Future<Output = T>,
) -> Result<T, Abort> {
    let (mut wait, mut waiting) = (pin!(wait), queue.waiting());
    loop {
        if let Ok(done) = timeout_at(patience.deadline(), &mut wait).await {
            return Ok(done);
        }
        let moved = waiting - queue.waiting();
        waiting -= moved;
        if !patience.extend(moved, queue.moved_at()) {
            return Err(Abort::TimedOut);
        }
    }
}

impl From<Closed> for Abort {
    fn from(Closed: Closed) -> Self {
        Abort::Disconnected
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
