//! Answers one request, exactly once.

use std::convert::Infallible;
use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use h2::Reason;
use http::StatusCode;
use tokio::sync::oneshot;

use super::{Head, Payload, Response};
use crate::admission::Slot;
use crate::body::{BodySender, Budgets, FileBody, ResponseBody, outgoing};
use crate::connection::{Control, H2Reply};
use crate::reactor::{Completion, Reactor};

/// How a response ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Its last byte was written to the connection; whether it arrives, HTTP does not tell.
    Sent,
    /// The client reset the stream or the connection is gone.
    Disconnected,
    /// The client took nothing within `write_timeout`.
    TimedOut,
    /// The application, or a file it wanted sent, failed after the head.
    Failed,
}

type OnFinish = Box<dyn FnOnce(Outcome) + Send>;

/// What lives as long as a request does; its end is reported when it is dropped.
pub(crate) struct Record {
    _slot: Slot,
    outcome: Outcome,
    on_finish: Option<OnFinish>,
    /// Dropped with the record, which is what [`Answered`] waits for.
    answered: Option<oneshot::Sender<Infallible>>,
}

/// Resolves when a response is over, whichever way.
pub(crate) struct Answered(oneshot::Receiver<Infallible>);

impl Answered {
    pub(crate) async fn wait(self) {
        // Nothing is ever sent: the error is the end of the record.
        let _ = self.0.await;
    }
}

/// Where a response goes, by protocol.
#[derive(Debug)]
pub(crate) enum Reply {
    H2(H2Reply),
}

/// The right, and the duty, to answer a request. Dropped unused, it answers 500.
#[derive(Debug)]
pub struct Responder {
    pending: Option<(Reply, Box<Record>)>,
    budgets: Budgets,
    reactor: Arc<Reactor>,
}

impl Record {
    pub(crate) fn new(slot: Slot) -> Box<Self> {
        Box::new(Record { _slot: slot, outcome: Outcome::Disconnected, on_finish: None, answered: None })
    }

    pub(crate) fn end(&mut self, outcome: Outcome) {
        self.outcome = outcome;
    }
}

impl Drop for Record {
    fn drop(&mut self) {
        if let Some(on_finish) = self.on_finish.take() {
            on_finish(self.outcome);
        }
    }
}

impl fmt::Debug for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Record").field("outcome", &self.outcome).finish_non_exhaustive()
    }
}

impl Reply {
    /// Sends the response; on the reactor.
    pub(crate) fn deliver(self, response: Response, record: Box<Record>) {
        match self {
            Reply::H2(reply) => reply.deliver(response, record),
        }
    }
}

impl Responder {
    pub(crate) fn new(reply: Reply, record: Box<Record>, budgets: Budgets, reactor: Arc<Reactor>) -> Self {
        Responder { pending: Some((reply, record)), budgets, reactor }
    }

    /// Sends a response without a body.
    pub fn respond_empty(self, head: Head) {
        self.respond(Response { head, body: Payload::Empty });
    }

    /// Sends a response whose body is complete. Never blocks: when the connection holds too much already, the core
    /// moves the body to a temporary file.
    pub fn respond_full(self, head: Head, bytes: Bytes) {
        if let Some(charge) = self.budgets.connection.try_charge(bytes.len()) {
            return self.respond(Response { head, body: Payload::Full(bytes, charge) });
        }
        let (sender, body) = self.stream();
        let body = Payload::Stream(body, Some(bytes.len() as u64));
        self.complete(Response { head, body }, Some((sender, bytes)));
    }

    /// Sends a file, read by the core.
    pub fn respond_file(self, head: Head, file: FileBody) {
        self.respond(Response { head, body: Payload::File(file) });
    }

    /// Sends the head now and the body as it is pushed into the sender.
    pub fn respond_streaming(self, head: Head) -> BodySender {
        let (sender, body) = self.stream();
        self.respond(Response { head, body: Payload::Stream(body, None) });
        sender
    }

    /// Sends an informational response (RFC 9110, section 15.2). A client that is gone does not hear it.
    pub fn inform(&mut self, head: Head) {
        match &mut self.pending {
            Some((Reply::H2(reply), _)) => reply.inform(head),
            None => {}
        }
    }

    /// Asks for a request body that the client holds back (RFC 9110, section 10.1.1).
    pub(crate) fn send_continue(&mut self) {
        self.inform(Head::new(StatusCode::CONTINUE));
    }

    /// Lets the task that takes the request body act on the stream, whoever holds the responder.
    pub(crate) fn share_control(&mut self) -> Option<Control> {
        let (Reply::H2(reply), record) = self.pending.take()?;
        let (reply, control) = reply.share();
        self.pending = Some((Reply::H2(reply), record));
        Some(control)
    }

    /// Tells when the response is over. One listener at a time: a later one releases an earlier one.
    pub(crate) fn answered(&mut self) -> Answered {
        let (sender, receiver) = oneshot::channel();
        if let Some((_, record)) = &mut self.pending {
            record.answered = Some(sender);
        }
        Answered(receiver)
    }

    /// Ends the stream without a response.
    pub(crate) fn reset(mut self, reason: Reason) {
        if let Some((Reply::H2(reply), _record)) = self.pending.take() {
            reply.reset(reason);
        }
    }

    /// Sends a response of ours.
    pub fn respond_plain(self, status: StatusCode) {
        let response = self.plain(status);
        self.respond(response);
    }

    /// Calls `on_finish` once, on some thread, when the last byte was sent or the response failed. It must do no more
    /// than hand over: the connection is locked meanwhile, and using or dropping a part of an exchange would wait for
    /// that lock for ever.
    pub fn on_finish(&mut self, on_finish: impl FnOnce(Outcome) + Send + 'static) {
        if let Some((_, record)) = &mut self.pending {
            record.on_finish = Some(Box::new(on_finish));
        }
    }

    /// Whether the client has given up on this request, so that there is no use in serving it.
    pub fn is_disconnected(&mut self) -> bool {
        match &mut self.pending {
            Some((Reply::H2(reply), _)) => reply.is_disconnected(),
            None => false,
        }
    }

    /// Whether the request was a HEAD, whose response has no body whatever its head says.
    pub fn is_head(&self) -> bool {
        match &self.pending {
            Some((Reply::H2(reply), _)) => reply.is_head(),
            None => false,
        }
    }

    fn stream(&self) -> (BodySender, ResponseBody) {
        outgoing(self.budgets.clone())
    }

    fn respond(self, response: Response) {
        self.complete(response, None);
    }

    fn complete(mut self, response: Response, spill: Option<(BodySender, Bytes)>) {
        if let Some((reply, record)) = self.pending.take() {
            self.reactor.push(Completion { reply, response, record, spill });
        }
    }

    fn plain(&self, status: StatusCode) -> Response {
        Response::plain(status, &self.budgets.connection)
    }
}

impl Drop for Responder {
    fn drop(&mut self) {
        if let Some((reply, record)) = self.pending.take() {
            let response = self.plain(StatusCode::INTERNAL_SERVER_ERROR);
            self.reactor.push(Completion { reply, response, record, spill: None });
        }
    }
}
