//! Answers one request, exactly once.

use std::any::Any;
use std::os::unix::net::UnixStream;
use std::time::Instant;

use bytes::Bytes;
use h2::Reason;
use http::StatusCode;

use super::{Answered, Failure, Head, Hijacked, Outcome, Payload, Record, Response};
use crate::body::{BodySender, Budgets, Claim, FileBody, Incoming, ResponseBody, outgoing};
use crate::connection::{Control, H1Reply, H2Reply, Taking};
use crate::reactor::{Answer, Completion};
use crate::stream::tunnel::Link;

/// How a client has asked for another protocol than HTTP, and what it takes for consent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Upgrade {
    /// Extended CONNECT (RFC 8441): a status of success, into which 101 is translated.
    Connect,
    /// `upgrade` of HTTP/1.1 (RFC 9110, section 7.8): status 101, and nothing else.
    Switch,
}

/// Where a response goes, by protocol.
#[derive(Debug)]
pub(crate) enum Reply {
    H1(H1Reply),
    H2(H2Reply),
}

/// The right, and the duty, to answer a request. Dropped unused, it answers 500.
#[derive(Debug)]
pub struct Responder {
    pending: Option<(Reply, Box<Record>)>,
    budgets: Budgets,
    /// The body, when it is read while it arrives: a tunnel takes it over.
    body: Option<Claim>,
}

impl Reply {
    /// Sends the response; on the reactor.
    pub(crate) fn deliver(self, response: Response, record: Box<Record>) {
        match self {
            Reply::H1(reply) => reply.deliver(response, record),
            Reply::H2(reply) => reply.deliver(response, record),
        }
    }

    /// Leaves the request to the application, after the head if there is one; on the reactor.
    pub(crate) fn tunnel(self, head: Option<Head>, link: Link, record: Box<Record>) {
        match self {
            Reply::H1(reply) => reply.tunnel(head, link, record),
            Reply::H2(reply) => reply.tunnel(head, link, record),
        }
    }
}

impl Responder {
    pub(crate) fn new(reply: Reply, record: Box<Record>, budgets: Budgets) -> Self {
        Responder { pending: Some((reply, record)), budgets, body: None }
    }

    /// The application can be called from now on, and not from when the head was complete.
    pub(crate) fn queue(&mut self) {
        if let Some((_, record)) = &mut self.pending {
            record.queue();
        }
    }

    /// Since when the application can be called.
    pub fn queued_at(&self) -> Instant {
        self.pending.as_ref().map_or_else(Instant::now, |(_, record)| record.queued_at())
    }

    /// A thread that can call the application has taken the request: the wait for one is over. Answers when.
    pub fn start(&mut self) -> Instant {
        match &mut self.pending {
            Some((_, record)) => record.start(),
            None => Instant::now(),
        }
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
        self.complete(Answer::Spill(Response { head, body }, sender, bytes));
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

    /// Sends the head, and then what the application writes to the other end of `socket`, until it closes that. There it
    /// can read what the client sends meanwhile. A client that has asked for another protocol takes a head with status
    /// 101 for consent; where that has a status of its own, it is translated.
    pub fn respond_tunnel(mut self, head: Head, socket: UnixStream) -> Failure {
        let link = Link::new(socket, self.body.take());
        let failure = link.failure();
        self.complete(Answer::Tunnel(Some(head), link));
        failure
    }

    /// Leaves the request to the application, which writes a response to the other end of `socket` as HTTP/1.1 does,
    /// head and all. There it can read what the client sends meanwhile.
    pub fn hijack(mut self, socket: UnixStream) -> Hijacked {
        let before = self.pending.as_mut().and_then(|(_, record)| record.take_on_finish());
        let hijacked = Hijacked::new(before);
        let end = hijacked.clone();
        self.on_finish(move |outcome| end.finish(outcome));
        let link = Link::new(socket, self.body.take());
        self.complete(Answer::Tunnel(None, link));
        hijacked
    }

    /// Lets a tunnel take over the body that the application was given.
    pub(crate) fn keep_claim(&mut self, body: &Incoming) {
        self.body = Some(body.claim());
    }

    /// Sends an informational response (RFC 9110, section 15.2). A client that is gone does not hear it.
    pub fn inform(&mut self, head: Head) {
        match &mut self.pending {
            Some((Reply::H1(reply), _)) => reply.inform(head),
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
        match self.pending.take()? {
            (Reply::H2(reply), record) => {
                let (reply, control) = reply.share();
                self.pending = Some((Reply::H2(reply), record));
                Some(control)
            }
            pending => {
                self.pending = Some(pending);
                None
            }
        }
    }

    /// Tells when the response is over. One listener at a time: a later one releases an earlier one.
    pub(crate) fn answered(&mut self) -> Answered {
        let (listener, answered) = Answered::new();
        if let Some((_, record)) = &mut self.pending {
            record.tell(listener);
        }
        answered
    }

    /// Keeps something until the response is over, whichever way. To be called once.
    pub fn hold(&mut self, held: Box<dyn Any + Send + Sync>) {
        if let Some((_, record)) = &mut self.pending {
            record.hold(held);
        }
    }

    /// Lets the request in, when that was left to the handler (see [`crate::admission::Gate`]).
    pub fn admit(&mut self) {
        if let Some((_, record)) = &mut self.pending {
            record.admit();
        }
    }

    /// Turns the request away, as [`Responder::admit`] lets it in: the application has not seen it, and the client may
    /// send it again (RFC 9113, section 8.7; RFC 9110, section 15.6.4). To report it is the caller's.
    pub fn refuse(mut self) {
        if let Some((_, record)) = &mut self.pending {
            record.refuse();
        }
        match &self.pending {
            Some((Reply::H1(_), record)) => {
                record.server().count_refused();
                let response = Response::busy(&self.budgets.connection);
                self.respond(response);
            }
            // Counted when the frame is sent.
            Some((Reply::H2(reply), _)) => {
                reply.leave_report();
                self.reset(Reason::REFUSED_STREAM, Outcome::Refused);
            }
            None => {}
        }
    }

    /// Ends the stream, or the connection of HTTP/1.1, without a response.
    pub(crate) fn reset(mut self, reason: Reason, outcome: Outcome) {
        let Some((reply, mut record)) = self.pending.take() else { return };
        record.end(outcome);
        match reply {
            Reply::H1(reply) => reply.reset(),
            Reply::H2(reply) => reply.reset(reason),
        }
    }

    /// Takes an HTTP/1.1 connection over instead of a response, with what the client has sent beyond the request. A
    /// stream of HTTP/2 is no connection: its responder comes back.
    pub fn take_connection(mut self) -> Result<Taking, Self> {
        match self.pending.take() {
            Some((Reply::H1(reply), record)) => Ok(reply.take_connection(record)),
            pending => {
                self.pending = pending;
                Err(self)
            }
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
            record.on_finish(Box::new(on_finish));
        }
    }

    /// Whether the client has given up on this request, so that there is no use in serving it.
    pub fn is_disconnected(&mut self) -> bool {
        match &mut self.pending {
            Some((Reply::H1(reply), _)) => reply.is_disconnected(),
            Some((Reply::H2(reply), _)) => reply.is_disconnected(),
            None => false,
        }
    }

    /// Whether, and how, the client has asked for another protocol.
    pub fn upgrade(&self) -> Option<Upgrade> {
        match &self.pending {
            Some((Reply::H2(reply), _)) => reply.connect().map(|_| Upgrade::Connect),
            Some((Reply::H1(reply), _)) => reply.is_upgrade().then_some(Upgrade::Switch),
            None => None,
        }
    }

    /// Whether the request was a HEAD, whose response has no body whatever its head says.
    pub fn is_head(&self) -> bool {
        match &self.pending {
            Some((Reply::H1(reply), _)) => reply.is_head(),
            Some((Reply::H2(reply), _)) => reply.is_head(),
            None => false,
        }
    }

    fn stream(&self) -> (BodySender, ResponseBody) {
        outgoing(self.budgets.clone())
    }

    fn respond(self, response: Response) {
        self.complete(Answer::Response(response));
    }

    fn complete(mut self, answer: Answer) {
        if let Some((reply, record)) = self.pending.take() {
            push(Completion { reply, answer, record });
        }
    }

    fn plain(&self, status: StatusCode) -> Response {
        Response::plain(status, &self.budgets.connection)
    }
}

impl Drop for Responder {
    fn drop(&mut self) {
        if let Some((reply, record)) = self.pending.take() {
            let answer = Answer::Response(self.plain(StatusCode::INTERNAL_SERVER_ERROR));
            push(Completion { reply, answer, record });
        }
    }
}

/// To the reactor of the service that the request came to.
fn push(completion: Completion) {
    let server = completion.record.server().clone();
    server.reactor.push(completion);
}
