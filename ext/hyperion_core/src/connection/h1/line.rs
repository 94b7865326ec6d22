//! From the application back to the connection's task, which serves one request at a time.

use std::fmt::Write;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use bytes::BytesMut;
use http::{HeaderMap, Method, StatusCode};

use super::refusal::Refusal;
use super::takeover::TakeOver;
use crate::request::{Protocol, Request};
use crate::response::{Head, Record, Response};

/// Shared by a connection and whoever answers its present request.
#[derive(Debug, Default)]
pub(crate) struct Line {
    state: Mutex<State>,
    /// Whether `state.interim` has bytes: what is looked at for each write.
    has_interim: AtomicBool,
    /// The request's body has not come to its end.
    uploading: AtomicBool,
    /// The head of the response is on its way.
    answering: AtomicBool,
    /// The client has taken nothing within `write_timeout`.
    timed_out: AtomicBool,
}

#[derive(Debug, Default)]
struct State {
    answer: Option<Answer>,
    interim: BytesMut,
    gone: bool,
    /// What the connection has answered by itself, because of the body.
    refusal: Option<Refusal>,
    waker: Option<Waker>,
}

/// What becomes of a request.
#[derive(Debug)]
pub(super) enum Answer {
    Response(Response, Box<Record>),
    /// The connection is closed without a response.
    Reset,
    /// The connection goes to somebody else.
    TakeOver(TakeOver),
}

/// The answering end of a request.
#[derive(Debug)]
pub(crate) struct H1Reply {
    /// `None` once it is answered.
    line: Option<Arc<Line>>,
    is_head: bool,
    /// HTTP/1.0 has no informational responses.
    is_http_10: bool,
    /// The client has asked for another protocol.
    is_upgrade: bool,
}

impl Line {
    /// Waits for the answer to the present request.
    pub(super) fn poll_answer(&self, cx: &mut Context<'_>) -> Poll<Answer> {
        let mut state = self.lock();
        if let Some(answer) = state.answer.take() {
            return Poll::Ready(answer);
        }
        match &mut state.waker {
            Some(waker) => waker.clone_from(cx.waker()),
            None => state.waker = Some(cx.waker().clone()),
        }
        Poll::Pending
    }

    /// Hands over what has to be written before anything else.
    pub(super) fn take_interim(&self, write: impl FnOnce(&[u8])) {
        if self.has_interim.swap(false, Relaxed) {
            write(&std::mem::take(&mut self.lock().interim));
        }
    }

    /// The connection is over: nobody will take an answer.
    pub(super) fn close(&self) {
        let mut state = self.lock();
        state.gone = true;
        let (answer, refusal) = (state.answer.take(), state.refusal);
        drop(state);
        // Its end may be reported to somebody who comes back here.
        forget(answer, refusal);
    }

    /// The connection answers the present request by itself, in the middle of its body.
    pub(super) fn refuse(&self, refusal: Refusal) {
        self.lock().refusal = Some(refusal);
    }

    /// A request begins, whose body is still to come.
    pub(super) fn begin(&self, uploading: bool) {
        self.uploading.store(uploading, Relaxed);
        self.answering.store(false, Relaxed);
    }

    pub(super) fn end_upload(&self) {
        self.uploading.store(false, Relaxed);
    }

    pub(super) fn is_uploading(&self) -> bool {
        self.uploading.load(Relaxed)
    }

    pub(super) fn begin_answer(&self) {
        self.answering.store(true, Relaxed);
    }

    pub(super) fn is_answering(&self) -> bool {
        self.answering.load(Relaxed)
    }

    pub(super) fn time_out(&self) {
        self.timed_out.store(true, Relaxed);
    }

    pub(super) fn has_timed_out(&self) -> bool {
        self.timed_out.load(Relaxed)
    }

    fn answer(&self, answer: Answer) {
        let waker = {
            let mut state = self.lock();
            if state.gone {
                let refusal = state.refusal;
                drop(state);
                return forget(Some(answer), refusal);
            }
            state.answer = Some(answer);
            state.waker.clone()
        };
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    fn inform(&self, status: StatusCode, fields: &HeaderMap) {
        let mut head =
            format!("HTTP/1.1 {} {}\r\n", status.as_str(), status.canonical_reason().unwrap_or(""));
        let mut state = self.lock();
        state.interim.extend_from_slice(head.as_bytes());
        for (name, value) in fields {
            head.clear();
            // Writing to a String does not fail.
            let _ = write!(head, "{name}: ");
            for part in [head.as_bytes(), value.as_bytes(), b"\r\n"] {
                state.interim.extend_from_slice(part);
            }
        }
        state.interim.extend_from_slice(b"\r\n");
        self.has_interim.store(true, Relaxed);
        let waker = state.waker.clone();
        drop(state);
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Lets an answer go that comes too late, perhaps behind another one.
fn forget(answer: Option<Answer>, refusal: Option<Refusal>) {
    if let (Some(Answer::Response(_, mut record)), Some(refusal)) = (answer, refusal) {
        record.answered(refusal.status, refusal.text().len());
    }
}

impl H1Reply {
    pub(super) fn new(line: Arc<Line>, request: &Request) -> Self {
        H1Reply {
            line: Some(line),
            is_head: request.method == Method::HEAD,
            is_http_10: request.protocol == Protocol::Http10,
            is_upgrade: request.protocols().next().is_some(),
        }
    }

    pub(crate) fn is_upgrade(&self) -> bool {
        self.is_upgrade
    }

    pub(crate) fn is_head(&self) -> bool {
        self.is_head
    }

    /// Sends an informational response to a client that knows them.
    pub(crate) fn inform(&mut self, head: Head) {
        if let Some(line) = self.line.as_ref().filter(|_| !self.is_http_10) {
            line.inform(head.status(), &head.into_fields());
        }
    }

    /// Whether the connection is gone. A client that has only ended its half still waits.
    pub(crate) fn is_disconnected(&mut self) -> bool {
        self.line.as_ref().is_none_or(|line| line.lock().gone)
    }

    pub(crate) fn deliver(self, response: Response, record: Box<Record>) {
        self.answer(Answer::Response(response, record));
    }

    /// Closes the connection without a response.
    pub(crate) fn reset(self) {
        self.answer(Answer::Reset);
    }

    pub(super) fn answer(mut self, answer: Answer) {
        if let Some(line) = self.line.take() {
            line.answer(answer);
        }
    }
}

impl Drop for H1Reply {
    fn drop(&mut self) {
        if let Some(line) = self.line.take() {
            line.answer(Answer::Reset);
        }
    }
}
