//! What a body writes to: the Ruby end of a streamed response.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use hyperion_core::body::{BodySender, Offer, PushError};
use hyperion_core::response::{Head, Responder};
use magnus::prelude::*;
use magnus::{Error, RModule, RString, Ruby, TypedData, Value, method};

use crate::errors::Class;
use crate::fork::Ours;
use crate::{gvl, respond};

/// Bytes taken from a String at once. A longer one is copied piece by piece, as there is room.
const PIECE: usize = 64 * 1024;

/// Writes a response body.
#[derive(TypedData)]
#[magnus(class = "HyperionRs::Native::Writer", free_immediately)]
pub(crate) struct Writer {
    state: Ours<Mutex<State>>,
}

impl magnus::DataTypeFunctions for Writer {}

enum State {
    /// The head waits for the first chunk of a body whose length is known: they may be all there is.
    Head(Responder, Head, u64),
    /// Chunks follow; with a known length, so many bytes.
    Open(Arc<BodySender>, Option<u64>),
    /// All the bytes that `content-length` promised were sent at once.
    Whole,
    /// Nothing can be written any more.
    Closed,
}

impl Writer {
    /// Sends the head now, or with the first chunk when `content-length` promises one.
    pub(crate) fn new(responder: Responder, head: Head, has_trailers: bool) -> Self {
        let state = match head.content_length().filter(|&length| length > 0 && !has_trailers) {
            Some(length) => State::Head(responder, head, length),
            None => State::Open(Arc::new(responder.respond_streaming(head)), None),
        };
        Writer { state: Ours::new(Mutex::new(state)) }
    }

    /// Sends a String; blocks, without the GVL, while there is no room. Raises ClientDisconnected when nobody reads.
    pub(crate) fn write(ruby: &Ruby, rb_self: &Self, chunk: RString) -> Result<usize, Error> {
        let mut offset = 0;
        while let Some(piece) = rb_self.piece(ruby, chunk, offset)? {
            let (sender, bytes) = piece;
            offset += bytes.len();
            push(ruby, &sender, bytes)?;
            rb_self.count(&sender);
        }
        Ok(chunk.len())
    }

    /// Sends what there is room for; the number of bytes, nil when there is none.
    fn write_nonblock(ruby: &Ruby, rb_self: &Self, chunk: RString) -> Result<Option<usize>, Error> {
        let Some((sender, bytes)) = rb_self.piece(ruby, chunk, 0)? else { return Ok(Some(0)) };
        let size = bytes.len();
        match sender.offer(bytes).map_err(|error| push_error(ruby, error))? {
            Offer::Taken => {
                rb_self.count(&sender);
                Ok(Some(size))
            }
            Offer::Full(_) => {
                rb_self.uncount(size as u64);
                Ok(None)
            }
        }
    }

    /// Ends the body, with a Hash of trailers or nil.
    pub(crate) fn finish(ruby: &Ruby, rb_self: &Self, trailers: Value) -> Result<(), Error> {
        let trailers = respond::trailers(ruby, trailers)?;
        let state = rb_self.end();
        match state {
            // Less came than promised: nothing at all. The length is put right when it is sent.
            State::Head(responder, head, _) => responder.respond_full(head, Bytes::new()),
            State::Open(sender, left) if left.unwrap_or(0) == 0 => {
                sender.finish(trailers.map(Head::into_trailers))
            }
            State::Open(sender, left) => {
                sender.fail();
                let left = left.unwrap_or(0);
                let reason = format_args!("the body is {left} bytes shorter than its content-length");
                return Err(respond::invalid(ruby, reason));
            }
            State::Whole | State::Closed => {}
        }
        Ok(())
    }

    /// Ends the response as failed: the client sees that it is not whole.
    pub(crate) fn abort(&self) {
        match self.end() {
            State::Open(sender, _) => sender.fail(),
            // Dropped unused, the responder answers 500.
            State::Head(..) | State::Whole | State::Closed => {}
        }
    }

    fn end(&self) -> State {
        std::mem::replace(&mut *self.lock(), State::Closed)
    }

    /// Whether nothing can be written any more.
    fn is_closed(&self) -> bool {
        match &*self.lock() {
            State::Head(..) => false,
            State::Open(sender, _) => sender.is_closed(),
            State::Whole | State::Closed => true,
        }
    }

    /// The next piece of `chunk` from `offset`, and where it goes. A first chunk that is the whole body is sent here.
    fn piece(
        &self,
        ruby: &Ruby,
        chunk: RString,
        offset: usize,
    ) -> Result<Option<(Arc<BodySender>, Bytes)>, Error> {
        // SAFETY: nothing of Ruby is called while the slice is in use. The application may have changed the string
        // while the last piece waited for room: the range is taken anew each time.
        let bytes = unsafe { chunk.as_slice() };
        let rest = bytes.get(offset..).unwrap_or_default();
        if rest.is_empty() {
            return Ok(None);
        }
        let next = self.lock().next(rest);
        next.map_err(|refusal| match refusal {
            Refusal::Closed => Error::new(ruby.exception_io_error(), "closed stream"),
            Refusal::TooLong => respond::invalid(ruby, "the body is longer than its content-length"),
        })
    }

    /// The last promised byte was taken: the body is whole, and END_STREAM goes with it.
    fn count(&self, sender: &BodySender) {
        if let State::Open(_, Some(0)) = &*self.lock() {
            sender.finish(None);
        }
    }

    fn uncount(&self, bytes: u64) {
        if let State::Open(_, Some(left)) = &mut *self.lock() {
            *left += bytes;
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Why bytes cannot be sent.
enum Refusal {
    /// The application has closed it, as any IO says then; a client that is gone is another matter.
    Closed,
    TooLong,
}

impl State {
    /// Takes the first bytes of `rest`, which is not empty. Sends the head before them, if that is still to be done.
    fn next(&mut self, rest: &[u8]) -> Result<Option<(Arc<BodySender>, Bytes)>, Refusal> {
        match std::mem::replace(self, State::Closed) {
            State::Head(responder, head, length) if rest.len() as u64 == length && rest.len() <= PIECE => {
                *self = State::Whole;
                responder.respond_full(head, Bytes::copy_from_slice(rest));
                return Ok(None);
            }
            State::Head(responder, head, length) => {
                *self = State::Open(Arc::new(responder.respond_streaming(head)), Some(length));
            }
            state => *self = state,
        }
        match self {
            State::Open(sender, left) => {
                let piece = &rest[..rest.len().min(PIECE)];
                if let Some(left) = left {
                    *left = left.checked_sub(piece.len() as u64).ok_or(Refusal::TooLong)?;
                }
                Ok(Some((sender.clone(), Bytes::copy_from_slice(piece))))
            }
            State::Whole => Err(Refusal::TooLong),
            State::Head(..) | State::Closed => Err(Refusal::Closed),
        }
    }
}

/// Sends one piece: into memory at once, else without the GVL into the file, else when there is room.
pub(crate) fn push(ruby: &Ruby, sender: &BodySender, bytes: Bytes) -> Result<(), Error> {
    let mut offer = sender.offer(bytes);
    loop {
        match offer.map_err(|error| push_error(ruby, error))? {
            Offer::Taken => return Ok(()),
            Offer::Full(bytes) => match gvl::block(ruby, || sender.offer_spilling(bytes))? {
                Ok(Offer::Full(bytes)) => {
                    gvl::wait(ruby, std::future::poll_fn(|cx| sender.poll_room(cx)))?;
                    offer = Ok(Offer::Full(bytes));
                }
                taken => offer = taken,
            },
        }
    }
}

fn push_error(ruby: &Ruby, error: PushError) -> Error {
    match error {
        PushError::Closed => {
            Class::ClientDisconnected.error(ruby, "the client went away, or the response is closed")
        }
        PushError::Io(error) => Error::new(ruby.exception_io_error(), format!("response body: {error}")),
    }
}

pub(crate) fn define(ruby: &Ruby, native: RModule) -> Result<(), Error> {
    let writer = native.define_class("Writer", ruby.class_object())?;
    writer.undef_default_alloc_func();
    gvl::settle_class::<Writer>(ruby);
    writer.define_method("write", method!(Writer::write, 1))?;
    writer.define_method("write_nonblock", method!(Writer::write_nonblock, 1))?;
    writer.define_method("finish", method!(Writer::finish, 1))?;
    writer.define_method("abort", method!(Writer::abort, 0))?;
    writer.define_method("closed?", method!(Writer::is_closed, 0))
}
