//! A response body as it leaves by a connection.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use bytes::{Buf, Bytes};
use h2::Reason;
use http::HeaderMap;
use hyper::body::{Body, Frame, SizeHint};
use thiserror::Error;

use super::Shared;
use super::line::Line;
use crate::body::{Charge, ConnectionMemory};
use crate::response::{Outcome, Record};
use crate::service::Context as Server;
use crate::stream::{Closed, Outlet, Queue};

/// Bytes that wait for the connection while a task makes more.
const ROOM: usize = 64 * 1024;

/// Bytes of a body on their way through the encoder: they carry what must be given back when they are written.
#[derive(Debug)]
pub(super) struct Piece {
    bytes: Bytes,
    _charge: Charge,
    owner: Owner,
}

/// Who has to know what becomes of a piece.
#[derive(Debug)]
enum Owner {
    /// The piece is a whole body: the response ends with it.
    Response(Box<Record>, Arc<Line>),
    /// The task that sends the body.
    Task(Arc<Queue>),
}

/// What the encoder gets.
#[derive(Debug)]
pub(super) enum OutgoingBody {
    Empty,
    Whole(Option<Piece>),
    /// Made by a task; its length, when that is known.
    Stream(ChuteEnd, Option<u64>),
}

/// The connection is to be closed before the end of the body.
#[derive(Debug, Error)]
#[error("the response was given up")]
pub(super) struct GivenUp;

/// From the task that sends a body to the encoder.
#[derive(Debug, Default)]
struct Chute(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    pieces: VecDeque<Piece>,
    bytes: usize,
    end: Option<End>,
    closed: bool,
    sender: Option<Waker>,
    encoder: Option<Waker>,
}

#[derive(Debug)]
enum End {
    Finished(Option<HeaderMap>),
    Failed,
}

/// The encoder's end. Dropping it closes the other one.
#[derive(Debug)]
pub(super) struct ChuteEnd(Arc<Chute>);

/// The end that [`crate::stream::Download`] fills.
pub(super) struct ConnectionOutlet {
    chute: Arc<Chute>,
    shared: Arc<Shared>,
    queue: Arc<Queue>,
}

pub(super) fn chute(shared: Arc<Shared>) -> (ConnectionOutlet, ChuteEnd) {
    let chute = Arc::new(Chute::default());
    let queue = Queue::new(shared.blocked.clone());
    (ConnectionOutlet { chute: chute.clone(), shared, queue }, ChuteEnd(chute))
}

impl Piece {
    /// All of a body, which is not empty.
    pub(super) fn whole(bytes: Bytes, charge: Charge, record: Box<Record>, line: Arc<Line>) -> Self {
        Piece { bytes, _charge: charge, owner: Owner::Response(record, line) }
    }
}

impl Buf for Piece {
    fn remaining(&self) -> usize {
        self.bytes.len()
    }

    fn chunk(&self) -> &[u8] {
        &self.bytes
    }

    fn advance(&mut self, count: usize) {
        self.bytes.advance(count);
        match &mut self.owner {
            Owner::Response(record, _) => record.sent(count as u64),
            Owner::Task(queue) => queue.written(count),
        }
    }
}

impl Drop for Piece {
    fn drop(&mut self) {
        let written = self.bytes.is_empty();
        match &mut self.owner {
            Owner::Response(record, _) if written => record.end(Outcome::Sent),
            Owner::Response(record, line) if line.has_timed_out() => record.end(Outcome::TimedOut),
            Owner::Task(queue) if !written => queue.lose(),
            _ => {}
        }
    }
}

impl Body for OutgoingBody {
    type Data = Piece;
    type Error = GivenUp;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Piece>, GivenUp>>> {
        match self.get_mut() {
            OutgoingBody::Empty => Poll::Ready(None),
            OutgoingBody::Whole(piece) => Poll::Ready(piece.take().map(|piece| Ok(Frame::data(piece)))),
            OutgoingBody::Stream(chute, _) => chute.0.poll_frame(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            OutgoingBody::Empty | OutgoingBody::Whole(None) => true,
            OutgoingBody::Whole(Some(_)) => false,
            OutgoingBody::Stream(chute, _) => chute.0.is_at_end(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            OutgoingBody::Empty | OutgoingBody::Whole(None) => SizeHint::with_exact(0),
            OutgoingBody::Whole(Some(piece)) => SizeHint::with_exact(piece.remaining() as u64),
            OutgoingBody::Stream(_, Some(length)) => SizeHint::with_exact(*length),
            OutgoingBody::Stream(_, None) => SizeHint::default(),
        }
    }
}

impl Chute {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_at_end(&self) -> bool {
        let state = self.lock();
        state.pieces.is_empty() && matches!(state.end, Some(End::Finished(None)))
    }

    fn poll_frame(&self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Piece>, GivenUp>>> {
        let mut state = self.lock();
        if let Some(piece) = state.pieces.pop_front() {
            state.bytes -= piece.remaining();
            wake(&mut state.sender);
            return Poll::Ready(Some(Ok(Frame::data(piece))));
        }
        match &mut state.end {
            Some(End::Finished(trailers)) => {
                Poll::Ready(trailers.take().map(|trailers| Ok(Frame::trailers(trailers))))
            }
            Some(End::Failed) => Poll::Ready(Some(Err(GivenUp))),
            None => {
                state.encoder = Some(cx.waker().clone());
                Poll::Pending
            }
        }
    }

    fn end(&self, end: End) {
        let mut state = self.lock();
        state.end.get_or_insert(end);
        wake(&mut state.encoder);
    }
}

fn wake(waker: &mut Option<Waker>) {
    if let Some(waker) = waker.take() {
        waker.wake();
    }
}

impl Drop for ChuteEnd {
    fn drop(&mut self) {
        let mut state = self.0.lock();
        // What the encoder has taken to the end is still on its way: the pieces tell what becomes of it.
        state.closed = !(state.pieces.is_empty() && matches!(state.end, Some(End::Finished(_))));
        let pieces = std::mem::take(&mut state.pieces);
        wake(&mut state.sender);
        drop(state);
        drop(pieces);
    }
}

impl Outlet for ConnectionOutlet {
    const TURN: usize = ROOM;

    fn server(&self) -> &Server {
        &self.shared.server
    }

    fn memory(&self) -> &Arc<ConnectionMemory> {
        &self.shared.memory
    }

    fn queue(&self) -> &Arc<Queue> {
        &self.queue
    }

    fn stream_id(&self) -> u32 {
        0
    }

    fn reserve(&mut self, _: usize) {}

    fn poll_capacity(&mut self, cx: &mut Context<'_>) -> Poll<Result<usize, Closed>> {
        let mut state = self.chute.lock();
        if state.closed {
            return Poll::Ready(Err(Closed));
        }
        match ROOM.saturating_sub(state.bytes) {
            0 => {
                state.sender = Some(cx.waker().clone());
                Poll::Pending
            }
            room => Poll::Ready(Ok(room)),
        }
    }

    fn send(&mut self, bytes: Bytes, charge: Charge, end: bool) -> Result<(), Closed> {
        let mut state = self.chute.lock();
        if state.closed {
            return Err(Closed);
        }
        if !bytes.is_empty() {
            self.queue.add(bytes.len());
            state.bytes += bytes.len();
            let owner = Owner::Task(self.queue.clone());
            state.pieces.push_back(Piece { bytes, _charge: charge, owner });
        }
        if end {
            state.end.get_or_insert(End::Finished(None));
        }
        wake(&mut state.encoder);
        Ok(())
    }

    fn send_trailers(&mut self, trailers: HeaderMap) -> Result<(), Closed> {
        self.chute.end(End::Finished(Some(trailers)));
        Ok(())
    }

    fn poll_closed(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let mut state = self.chute.lock();
        if state.closed {
            return Poll::Ready(());
        }
        state.sender = Some(cx.waker().clone());
        Poll::Pending
    }

    fn parted(&self) -> impl Future<Output = ()> + Send + use<> {
        let permit = self.shared.permit.clone();
        async move { permit.parted().await }
    }

    fn reset(&mut self, _: Reason) {
        self.chute.end(End::Failed);
    }

    fn has_timed_out(&self) -> bool {
        self.shared.line.has_timed_out()
    }
}

impl Drop for ConnectionOutlet {
    fn drop(&mut self) {
        self.chute.end(End::Failed);
    }
}
