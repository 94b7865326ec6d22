//! A request body that the application reads while it arrives. What was not read stays in the peer's window.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::HeaderMap;
use thiserror::Error;
use tokio::time::Instant;

/// Why a request body ended early.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum BodyError {
    /// The client reset the stream or the connection is gone.
    #[error("the client went away before the end of the request body")]
    Disconnected,
    /// It is larger than `max_body_size`.
    #[error("the request body is larger than max_body_size")]
    TooLarge,
    /// It made no progress within `body_timeout`.
    #[error("the request body made no progress within body_timeout")]
    TimedOut,
}

/// Bytes below which a chunk is copied. It comes as a part of a read buffer, which it would hold whole: with what the
/// peer has put between the chunks, that is a multiple of what its window allows.
pub(super) const SMALL: usize = 64 * 1024;

/// The reading end.
#[derive(Debug)]
pub struct Incoming {
    state: Arc<Mutex<State>>,
    /// Made from a [`Claim`].
    claimed: bool,
}

/// The right to take the reading end from whoever has it.
#[derive(Debug)]
pub(crate) struct Claim(Arc<Mutex<State>>);

/// A read that waits, for one who may have to end it.
#[derive(Clone, Debug)]
pub(super) struct Pause(Arc<Mutex<State>>);

/// The end that the stream's task fills.
#[derive(Debug)]
pub(crate) struct Feeder(Arc<Mutex<State>>);

#[derive(Debug)]
struct State {
    chunks: VecDeque<Bytes>,
    /// Small chunks after those, gathered.
    tail: BytesMut,
    /// `None` while more may come.
    end: Option<Result<(), BodyError>>,
    trailers: Option<HeaderMap>,
    drained_since: Instant,
    /// Since when there is a reader, with nothing to read.
    asked_since: Option<Instant>,
    /// `body_timeout`.
    patience: Duration,
    reader: Option<Waker>,
    /// Gives the window back as chunks are read. Only as long as there are any: it keeps the stream, which is to be reset
    /// when nobody wants its rest, and the application may keep its end for long.
    flow: Option<h2::FlowControl>,
    /// Set by the first read, for a client that waits for a 100.
    wanted: bool,
    closed: bool,
    /// Somebody else reads than the one who was given the reading end.
    claimed: bool,
    feeder: Option<Waker>,
}

/// A body that passes on what `flow` lets in; without one, the feeder keeps to [`Feeder::poll_room`]. A read is overdue
/// after `patience`, should somebody ask.
pub(crate) fn incoming(flow: Option<h2::FlowControl>, patience: Duration) -> (Feeder, Incoming) {
    let state = Arc::new(Mutex::new(State {
        chunks: VecDeque::new(),
        tail: BytesMut::new(),
        end: None,
        trailers: None,
        drained_since: Instant::now(),
        asked_since: None,
        patience,
        reader: None,
        flow,
        wanted: false,
        closed: false,
        claimed: false,
        feeder: None,
    }));
    (Feeder(state.clone()), Incoming { state, claimed: false })
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Incoming {
    /// The next chunk, `None` at the end of the body. One reader at a time: a later one replaces an earlier waker.
    pub fn poll_read(&self, cx: &mut Context<'_>) -> Poll<Result<Option<Bytes>, BodyError>> {
        let mut state = lock(&self.state);
        if state.claimed != self.claimed {
            return Poll::Ready(Ok(None));
        }
        if !state.wanted {
            state.wanted = true;
            state.wake_feeder();
        }
        if let Some(chunk) = state.pop() {
            state.release(chunk.len());
            if state.flow.is_none() {
                state.wake_feeder();
            }
            return Poll::Ready(Ok(Some(chunk)));
        }
        match state.end {
            Some(end) => Poll::Ready(end.map(|()| None)),
            None if state.closed => Poll::Ready(Ok(None)),
            None => {
                state.asked_since.get_or_insert_with(Instant::now);
                state.reader = Some(cx.waker().clone());
                Poll::Pending
            }
        }
    }

    /// The trailers, once the body has ended.
    pub fn trailers(&self) -> Option<HeaderMap> {
        lock(&self.state).trailers.clone()
    }

    /// Reads no further; what still comes is thrown away.
    pub fn close(&self) {
        let mut state = lock(&self.state);
        if state.claimed != self.claimed {
            return;
        }
        state.closed = true;
        state.discard();
        state.wake_feeder();
    }
}

impl Incoming {
    /// For one who may want to read the rest.
    pub(crate) fn claim(&self) -> Claim {
        Claim(self.state.clone())
    }

    /// For one who may have to end a read that waits.
    pub(super) fn pause(&self) -> Pause {
        Pause(self.state.clone())
    }
}

impl Pause {
    /// Since when the reader has waited, when that is longer than `body_timeout`.
    pub(super) fn overdue_since(&self) -> Option<Instant> {
        lock(&self.0).overdue_since()
    }

    /// Ends the body as one that has timed out, if its client is still silent.
    pub(super) fn end(&self) -> bool {
        let mut state = lock(&self.0);
        let overdue = state.overdue_since().is_some();
        if overdue {
            state.end = Some(Err(BodyError::TimedOut));
            state.release(0);
            state.wake_reader();
            state.wake_feeder();
        }
        overdue
    }

    /// Whether both are reads of one body.
    pub(super) fn is(&self, other: &Pause) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Claim {
    /// Takes the reading end; for the one who had it, the body ends here.
    pub(crate) fn take(self) -> Incoming {
        let mut state = lock(&self.0);
        state.claimed = true;
        state.asked_since = None;
        state.wake_reader();
        drop(state);
        Incoming { state: self.0, claimed: true }
    }
}

impl Drop for Incoming {
    fn drop(&mut self) {
        self.close();
    }
}

impl Feeder {
    pub(crate) fn push(&self, chunk: Bytes) {
        let mut state = lock(&self.0);
        state.push(chunk);
        if state.is_over() {
            state.discard();
        }
        state.wake_reader();
    }

    /// Ends the body, for good or early.
    pub(crate) fn end(&self, end: Result<Option<HeaderMap>, BodyError>) {
        let mut state = lock(&self.0);
        if state.end.is_none() {
            state.end = Some(end.map(|trailers| state.trailers = trailers));
            state.release(0);
            state.wake_reader();
        }
    }

    /// Resolves when the application first reads, or will never.
    pub(crate) fn poll_wanted(&self, cx: &mut Context<'_>) -> Poll<bool> {
        let mut state = lock(&self.0);
        if state.wanted || state.closed {
            return Poll::Ready(state.wanted);
        }
        state.feeder = Some(cx.waker().clone());
        Poll::Pending
    }

    /// Resolves when there is room for more. A peer that has a window has no more than it is given.
    pub(crate) fn poll_room(&self, cx: &mut Context<'_>) -> Poll<()> {
        let mut state = lock(&self.0);
        if state.flow.is_some() || state.closed || state.unread() < SMALL {
            return Poll::Ready(());
        }
        state.feeder = Some(cx.waker().clone());
        Poll::Pending
    }

    /// Resolves when the application reads no further, or may not.
    pub(crate) fn poll_closed(&self, cx: &mut Context<'_>) -> Poll<()> {
        let mut state = lock(&self.0);
        if state.is_over() {
            return Poll::Ready(());
        }
        state.feeder = Some(cx.waker().clone());
        Poll::Pending
    }

    /// Since when the reader has had all that came: only then is a pause the client's.
    pub(crate) fn drained_since(&self) -> Option<Instant> {
        let state = lock(&self.0);
        state.is_empty().then_some(state.drained_since)
    }
}

impl Drop for Feeder {
    fn drop(&mut self) {
        self.end(Err(BodyError::Disconnected));
    }
}

impl State {
    fn push(&mut self, chunk: Bytes) {
        if !self.tail.is_empty() && self.tail.len() + chunk.len() > SMALL {
            self.chunks.push_back(std::mem::take(&mut self.tail).freeze());
        }
        if chunk.len() < SMALL {
            self.tail.extend_from_slice(&chunk);
        } else {
            self.chunks.push_back(chunk);
        }
    }

    fn pop(&mut self) -> Option<Bytes> {
        let tail = || (!self.tail.is_empty()).then(|| std::mem::take(&mut self.tail).freeze());
        let chunk = self.chunks.pop_front().or_else(tail)?;
        self.asked_since = None;
        if self.is_empty() {
            self.drained_since = Instant::now();
        }
        Some(chunk)
    }

    fn overdue_since(&self) -> Option<Instant> {
        let silent = self.is_empty() && !self.is_over();
        self.asked_since.filter(|since| silent && since.elapsed() >= self.patience)
    }

    /// Whether what still comes finds no reader.
    fn is_over(&self) -> bool {
        self.closed || self.end.is_some()
    }

    fn unread(&self) -> usize {
        self.chunks.iter().map(Bytes::len).sum::<usize>() + self.tail.len()
    }

    fn is_empty(&self) -> bool {
        self.chunks.is_empty() && self.tail.is_empty()
    }

    fn discard(&mut self) {
        let chunks: usize = self.chunks.drain(..).map(|chunk| chunk.len()).sum();
        let unread = chunks + std::mem::take(&mut self.tail).len();
        self.release(unread);
    }

    /// Gives window back, and the stream when no more of it will be read.
    fn release(&mut self, bytes: usize) {
        if let Some(flow) = &mut self.flow {
            // The stream may be gone already; then there is no window to give back.
            let _ = flow.release_capacity(bytes);
        }
        if self.closed || (self.end.is_some() && self.is_empty()) {
            self.flow = None;
        }
    }

    fn wake_reader(&mut self) {
        if let Some(waker) = self.reader.take() {
            waker.wake();
        }
    }

    fn wake_feeder(&mut self) {
        if let Some(waker) = self.feeder.take() {
            waker.wake();
        }
    }
}
