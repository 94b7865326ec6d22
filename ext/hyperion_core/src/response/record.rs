//! The life of a request, from its admission to the end of its response.

use std::any::Any;
use std::convert::Infallible;
use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use http::StatusCode;
use tokio::sync::oneshot;

use crate::access_log::{End, Line};
use crate::admission::Slot;
use crate::metrics::{Metric, Metrics, Timer};
use crate::request::Request;
use crate::service::Context;

/// How a response ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Its last byte was written to the connection; whether it arrives, HTTP does not tell.
    Sent,
    /// The client reset the stream or the connection is gone.
    Disconnected,
    /// The client took nothing within `write_timeout`, or sent nothing of the body within `body_timeout`.
    TimedOut,
    /// The application, or a file it wanted sent, failed after the head.
    Failed,
    /// The request was malformed, and its stream reset.
    Rejected,
    /// The request was beyond a cap, and its stream reset: the client may send it again.
    Refused,
}

pub(super) type OnFinish = Box<dyn FnOnce(Outcome) + Send>;

impl Outcome {
    /// In a word.
    pub fn name(self) -> &'static str {
        match self {
            Outcome::Sent => "sent",
            Outcome::Disconnected => "disconnected",
            Outcome::TimedOut => "timed_out",
            Outcome::Failed => "failed",
            Outcome::Rejected => "rejected",
            Outcome::Refused => "refused",
        }
    }
}

/// What lives as long as a request does; its end is reported when it is dropped.
pub(crate) struct Record {
    server: Arc<Context>,
    _slot: Option<Slot>,
    admitted: Admitted,
    received_at: Instant,
    queued_at: Instant,
    queue_wait: Option<Duration>,
    line: Option<Box<Line>>,
    /// Until the response comes back to the reactor, which frees it then: the application's thread would do so while
    /// it holds up others, and with memory of another thread.
    request: Option<Arc<Request>>,
    status: Option<StatusCode>,
    /// Of the body, that were written.
    bytes: u64,
    outcome: Outcome,
    on_finish: Option<OnFinish>,
    /// Dropped with the record, which is what [`Answered`] waits for.
    answered: Option<Listener>,
    /// Dropped with the record, when all of it was counted.
    held: Option<Box<dyn Any + Send + Sync>>,
}

/// Whether the request may reach the application.
enum Admitted {
    /// That is yet to be decided.
    Later,
    Yes,
    No,
}

/// Resolves when a response is over, whichever way.
pub(crate) struct Answered(oneshot::Receiver<Infallible>);

/// What [`Answered`] waits for the end of.
pub(super) type Listener = oneshot::Sender<Infallible>;

impl Answered {
    pub(super) fn new() -> (Listener, Self) {
        let (listener, receiver) = oneshot::channel();
        (listener, Answered(receiver))
    }

    pub(crate) async fn wait(self) {
        // Nothing is ever sent: the error is the end of the record.
        let _ = self.0.await;
    }
}

impl Record {
    /// Of a request whose head was complete.
    pub(crate) fn new(server: Arc<Context>, slot: Slot, request: &Arc<Request>) -> Box<Self> {
        let late = server.gate.is_late();
        let line = server.observer.access_log.is_some().then(|| Line::new(request));
        let mut record = Record::begun(server, request.received_at, line);
        record._slot = Some(slot);
        record.request = Some(request.clone());
        record.admitted = Admitted::Later;
        if !late {
            record.admit();
        }
        record
    }

    /// Of a request that is answered instead of being served.
    pub(crate) fn of_refused(server: Arc<Context>, line: impl FnOnce(Instant) -> Line) -> Box<Self> {
        let now = Instant::now();
        let line = server.observer.access_log.is_some().then(|| Box::new(line(now)));
        Record::begun(server, now, line)
    }

    /// Without a place among those that are served.
    fn begun(server: Arc<Context>, received_at: Instant, line: Option<Box<Line>>) -> Box<Self> {
        Box::new(Record {
            server,
            _slot: None,
            admitted: Admitted::No,
            received_at,
            queued_at: received_at,
            queue_wait: None,
            line,
            request: None,
            status: None,
            bytes: 0,
            outcome: Outcome::Disconnected,
            on_finish: None,
            answered: None,
            held: None,
        })
    }

    /// The request is of no use any more.
    pub(crate) fn release_request(&mut self) {
        self.request = None;
    }

    pub(super) fn hold(&mut self, held: Box<dyn Any + Send + Sync>) {
        self.held = Some(held);
    }

    pub(super) fn admit(&mut self) {
        self.admitted = Admitted::Yes;
        self.metrics().add(Metric::RequestsTotal, 1);
        self.metrics().add(Metric::RequestsInFlight, 1);
        self.server.handler.counted();
    }

    pub(super) fn refuse(&mut self) {
        self.admitted = Admitted::No;
    }

    pub(crate) fn server(&self) -> &Arc<Context> {
        &self.server
    }

    pub(super) fn queue(&mut self) {
        self.queued_at = Instant::now();
    }

    pub(super) fn queued_at(&self) -> Instant {
        self.queued_at
    }

    pub(super) fn start(&mut self) -> Instant {
        let now = Instant::now();
        let wait = now.saturating_duration_since(self.queued_at);
        self.queue_wait = Some(wait);
        self.metrics().observe(Timer::QueueWait, wait);
        now
    }

    pub(super) fn on_finish(&mut self, on_finish: OnFinish) {
        self.on_finish = Some(on_finish);
    }

    /// What was to be called at the end.
    pub(super) fn take_on_finish(&mut self) -> Option<OnFinish> {
        self.on_finish.take()
    }

    pub(super) fn tell(&mut self, listener: Listener) {
        self.answered = Some(listener);
    }

    /// The response has begun with this status.
    pub(crate) fn begin(&mut self, status: StatusCode) {
        self.status = Some(status);
        self.metrics().count_status(status.as_u16());
    }

    /// So many bytes of the body were written.
    pub(crate) fn sent(&mut self, bytes: u64) {
        self.bytes += bytes;
    }

    /// The connection itself has answered, with a body of so many bytes.
    pub(crate) fn answered(&mut self, status: StatusCode, bytes: usize) {
        self.begin(status);
        self.sent(bytes as u64);
        self.end(Outcome::Sent);
    }

    /// The response ends like this.
    pub(crate) fn end(&mut self, outcome: Outcome) {
        self.outcome = outcome;
    }

    fn log(&mut self, at: Instant) {
        let (Some(log), Some(mut line)) = (&self.server.observer.access_log, self.line.take()) else {
            return;
        };
        line.end(End {
            at,
            status: self.status.map(|status| status.as_u16()),
            bytes: self.bytes,
            queue_wait: self.queue_wait,
            outcome: self.outcome,
        });
        log.push(*line);
    }

    fn metrics(&self) -> &Metrics {
        &self.server.observer.metrics
    }
}

impl Drop for Record {
    fn drop(&mut self) {
        let now = Instant::now();
        match self.admitted {
            Admitted::No => {}
            // The client was faster than the decision.
            Admitted::Later => self.metrics().add(Metric::RequestsTotal, 1),
            Admitted::Yes => self.metrics().add(Metric::RequestsInFlight, -1),
        }
        if !matches!(self.admitted, Admitted::No) {
            self.metrics().observe(Timer::RequestDuration, now.saturating_duration_since(self.received_at));
        }
        self.log(now);
        if let Some(on_finish) = self.on_finish.take() {
            on_finish(self.outcome);
        }
    }
}

impl fmt::Debug for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Record")
            .field("status", &self.status)
            .field("bytes", &self.bytes)
            .field("outcome", &self.outcome)
            .finish_non_exhaustive()
    }
}
