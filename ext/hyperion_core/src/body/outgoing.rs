//! A response body that the application pushes: memory up to a budget, then a temporary file, then the producer
//! waits. The producer may be on any thread and never waits on the network before the budgets are used up.

mod memory;
mod queue;

use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use http::HeaderMap;
use thiserror::Error;

use super::spill::{SpillBudget, SpillFile};
pub(crate) use memory::{Charge, ConnectionMemory, Overdraft};
use queue::{Piece, Queue};

/// What became of a chunk that was offered.
#[derive(Debug)]
pub enum Offer {
    /// It will be sent.
    Taken,
    /// There is no room for it now; here it is back.
    Full(Bytes),
}

/// Why a chunk was not taken, and none will be.
#[derive(Debug, Error)]
pub enum PushError {
    /// The client went away, a limit ended the response, or it was finished before.
    #[error("the response is closed")]
    Closed,
    /// The temporary file failed.
    #[error("a temporary file failed: {0}")]
    Io(#[from] io::Error),
}

/// Budgets of one response.
#[derive(Clone, Debug)]
pub(crate) struct Budgets {
    /// Bytes in memory.
    pub(crate) memory: usize,
    /// Bytes in a temporary file.
    pub(crate) spill: u64,
    pub(crate) connection: Arc<ConnectionMemory>,
    pub(crate) process: Arc<SpillBudget>,
}

/// The end that the application fills, in pieces of some ten kilobytes. Dropping it before [`BodySender::finish`]
/// fails the response.
#[derive(Debug)]
pub struct BodySender(Arc<Shared>);

/// The end that the stream's task sends from. Dropping it closes the other one.
#[derive(Debug)]
pub struct ResponseBody(Arc<Shared>);

/// What there is to send next.
#[derive(Debug)]
pub(crate) enum Chunk {
    /// Some bytes, and whether the body ends with them.
    Data { bytes: Bytes, charge: Charge, last: bool },
    /// So many bytes in the file, to be read by [`ResponseBody::load`] when they can be sent.
    Spilled(u64),
    /// The body ended before, with these trailers.
    End(Option<HeaderMap>),
}

/// A body that ended without its end.
#[derive(Debug, Error)]
pub(crate) enum BodyFailure {
    #[error("the application failed while it made the body")]
    Application,
    #[error("a temporary file failed: {0}")]
    Io(#[from] io::Error),
}

/// The largest body that is joined to one piece when it has been finished before it was sent.
const WHOLE: usize = 64 * 1024;

#[derive(Debug)]
struct Shared {
    state: Mutex<State>,
    /// Held over a write to the disk, which `state` never is.
    spill: Mutex<Option<SpillFile>>,
    budgets: Budgets,
}

#[derive(Debug, Default)]
struct State {
    queue: Queue,
    end: Option<End>,
    /// Set when a chunk was turned away, until there is room again.
    full: bool,
    /// Set while a piece that was taken out of the queue is read from the file.
    loading: bool,
    /// Set when the stream can take no more.
    closed: bool,
    receiver: Option<Waker>,
    sender: Option<Waker>,
}

#[derive(Debug)]
enum End {
    Finished(Option<HeaderMap>),
    Failed,
    /// The temporary file failed, with nobody but the stream's task to tell.
    Broken(io::Error),
}

pub(crate) fn outgoing(budgets: Budgets) -> (BodySender, ResponseBody) {
    let shared = Arc::new(Shared { state: Mutex::default(), spill: Mutex::default(), budgets });
    (BodySender(shared.clone()), ResponseBody(shared))
}

impl BodySender {
    /// Takes a chunk into memory, if there is room. Never blocks.
    pub fn offer(&self, chunk: Bytes) -> Result<Offer, PushError> {
        let mut state = self.0.open()?;
        if chunk.is_empty() {
            return Ok(Offer::Taken);
        }
        let budgets = &self.0.budgets;
        let queued = state.queue.memory();
        if queued != 0 && queued + chunk.len() > budgets.memory {
            return Ok(Offer::Full(chunk));
        }
        match budgets.connection.try_charge(chunk.len()) {
            Some(charge) => state.push_memory(chunk, charge),
            None => return Ok(Offer::Full(chunk)),
        }
        Ok(Offer::Taken)
    }

    /// Takes a chunk into memory or, that being full, into the temporary file. Blocks on the disk.
    pub fn offer_spilling(&self, chunk: Bytes) -> Result<Offer, PushError> {
        let chunk = match self.offer(chunk)? {
            Offer::Taken => return Ok(Offer::Taken),
            Offer::Full(chunk) => chunk,
        };
        let (budgets, size) = (&self.0.budgets, chunk.len() as u64);
        let mut spill = self.0.spill.lock().unwrap_or_else(PoisonError::into_inner);
        self.0.reclaim(&mut spill)?;
        let spilled = spill.as_ref().map_or(0, SpillFile::len);
        if spilled + size > budgets.spill || !budgets.process.try_take(size) {
            return self.offer_last(chunk);
        }
        if spill.is_none() {
            let created = SpillFile::create(&budgets.process);
            *spill = Some(created.inspect_err(|_| budgets.process.give_back(size))?);
        }
        let file = spill.as_mut().expect("created above");
        file.append(&chunk)?;
        let reader = file.reader();
        match self.0.open() {
            Ok(mut state) => {
                state.queue.push_file(reader, spilled, size);
                state.wake_receiver();
                Ok(Offer::Taken)
            }
            Err(closed) => {
                // The receiver was dropped meanwhile, and could not take the file with it.
                *spill = None;
                Err(closed)
            }
        }
    }

    /// Takes a whole body, and ends it. Blocks on the disk.
    pub(crate) fn fill(self, bytes: Bytes) {
        match self.offer_spilling(bytes) {
            // An empty queue takes any chunk.
            Ok(_) => self.finish(None),
            Err(PushError::Closed) => {}
            Err(PushError::Io(error)) => self.0.end(End::Broken(error)),
        }
    }

    /// With memory and disk used up: the chunk has to wait, but only for bytes of its own response. The neighbours'
    /// can be stuck for longer than this one's client deserves.
    fn offer_last(&self, chunk: Bytes) -> Result<Offer, PushError> {
        let mut state = self.0.open()?;
        if !state.queue.is_empty() {
            state.full = true;
            return Ok(Offer::Full(chunk));
        }
        let charge = self.0.budgets.connection.charge(chunk.len());
        state.push_memory(chunk, charge);
        Ok(Offer::Taken)
    }

    /// Ready when [`BodySender::offer_spilling`] is worth another try, or the response is closed.
    pub fn poll_room(&self, cx: &mut Context<'_>) -> Poll<()> {
        let mut state = self.0.lock();
        if state.closed || state.end.is_some() || !state.full {
            return Poll::Ready(());
        }
        state.sender = Some(cx.waker().clone());
        Poll::Pending
    }

    /// Ends the body; later calls do nothing.
    pub fn finish(&self, trailers: Option<HeaderMap>) {
        self.0.end(End::Finished(trailers));
    }

    /// Ends the response with an error, when it has not been finished.
    pub fn fail(&self) {
        self.0.end(End::Failed);
    }

    /// Whether nothing more can be sent.
    pub fn is_closed(&self) -> bool {
        let state = self.0.lock();
        state.closed || state.end.is_some()
    }
}

impl Drop for BodySender {
    fn drop(&mut self) {
        self.fail();
    }
}

impl ResponseBody {
    /// The whole body, when the application has finished it already, it is small, has no trailers, and `fits` its
    /// length: then it needs no task.
    pub(crate) fn take_whole(&self, fits: impl FnOnce(usize) -> bool) -> Option<(Bytes, Charge)> {
        let mut state = self.0.lock();
        let finished = matches!(state.end, Some(End::Finished(None)));
        if !finished || state.queue.memory() > WHOLE || !fits(state.queue.memory()) {
            return None;
        }
        let bytes = state.queue.take_whole()?;
        state.closed = true;
        drop(state);
        let charge = self.0.budgets.connection.charge(bytes.len());
        Some((bytes, charge))
    }

    /// The next piece of the body, as soon as there is one.
    pub(crate) async fn next(&mut self) -> Result<Chunk, BodyFailure> {
        std::future::poll_fn(|cx| self.poll_next(cx)).await
    }

    /// Reads the first bytes of what is [`Chunk::Spilled`], as many as the charge covers.
    pub(crate) async fn load(&mut self, charge: Charge) -> Result<Chunk, BodyFailure> {
        let (piece, last) = {
            let mut state = self.0.lock();
            let piece = state.queue.pop_file(charge.bytes() as u64);
            state.loading = piece.is_some();
            (piece, state.close_at_end())
        };
        let Some(piece) = piece else { return Ok(Chunk::Data { bytes: Bytes::new(), charge, last }) };
        let bytes = tokio::task::spawn_blocking(move || piece.read()).await.map_err(io::Error::other)??;
        self.0.lock().loading = false;
        // Taken: a producer is at it, who does the same.
        if let Ok(mut spill) = self.0.spill.try_lock() {
            self.0.reclaim(&mut spill)?;
        }
        Ok(Chunk::Data { bytes, charge, last })
    }

    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Result<Chunk, BodyFailure>> {
        let mut state = self.0.lock();
        let piece = state.queue.pop_memory();
        if state.queue.memory() <= self.0.budgets.memory / 2 {
            state.full = false;
            state.wake_sender();
        }
        let next = match piece {
            Some(Piece::Memory(bytes, charge)) => {
                let last = state.close_at_end();
                Chunk::Data { bytes, charge, last }
            }
            Some(Piece::File(bytes)) => Chunk::Spilled(bytes),
            None => match state.end.take() {
                Some(End::Finished(trailers)) => {
                    state.closed = true;
                    Chunk::End(trailers)
                }
                Some(End::Broken(error)) => return Poll::Ready(Err(error.into())),
                Some(End::Failed) => return Poll::Ready(Err(BodyFailure::Application)),
                None => {
                    state.receiver = Some(cx.waker().clone());
                    return Poll::Pending;
                }
            },
        };
        Poll::Ready(Ok(next))
    }
}

impl Drop for ResponseBody {
    fn drop(&mut self) {
        let queue = {
            let mut state = self.0.lock();
            state.closed = true;
            state.wake_sender();
            std::mem::take(&mut state.queue)
        };
        drop(queue);
        // The producer may keep its end for long; the disk is not to wait for that. One who is writing clears up.
        if let Ok(mut spill) = self.0.spill.try_lock() {
            *spill = None;
        }
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Empties the temporary file when all of it has been read.
    fn reclaim(&self, spill: &mut Option<SpillFile>) -> io::Result<()> {
        let is_read = || {
            let state = self.lock();
            !state.loading && !state.queue.has_file()
        };
        match spill.as_mut().filter(|file| file.len() > 0) {
            Some(file) if is_read() && !file.is_large() => file.clear(),
            Some(_) if is_read() => {
                *spill = None;
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn open(&self) -> Result<MutexGuard<'_, State>, PushError> {
        let state = self.lock();
        if state.closed || state.end.is_some() { Err(PushError::Closed) } else { Ok(state) }
    }

    fn end(&self, end: End) {
        let mut state = self.lock();
        if state.end.is_none() && !state.closed {
            state.end = Some(end);
            state.wake_receiver();
        }
    }
}

impl State {
    fn push_memory(&mut self, chunk: Bytes, charge: Charge) {
        self.queue.push_memory(chunk, charge);
        self.wake_receiver();
    }

    /// Whether the body ends with what was just taken.
    fn close_at_end(&mut self) -> bool {
        let last = self.queue.is_empty() && matches!(self.end, Some(End::Finished(None)));
        self.closed |= last;
        last
    }

    fn wake_receiver(&mut self) {
        if let Some(waker) = self.receiver.take() {
            waker.wake();
        }
    }

    fn wake_sender(&mut self) {
        if let Some(waker) = self.sender.take() {
            waker.wake();
        }
    }
}

#[cfg(test)]
mod tests;
