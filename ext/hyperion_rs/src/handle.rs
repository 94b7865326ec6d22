//! The responder of a request, which the worker shares with the objects that the application got.

use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Mutex, MutexGuard, PoisonError};

use http::StatusCode;
use hyperion_core::report::Level;
use hyperion_core::response::{Head, Hijacked, Outcome, Responder};
use magnus::prelude::*;
use magnus::typed_data::Obj;
use magnus::value::Opaque;
use magnus::{Error, RHash, RModule, Ruby, TypedData, gc, method};

use crate::fork::Ours;
use crate::hijack::Hijack;
use crate::log::Logger;
use crate::{gvl, respond};

/// Holds the responder until the response takes it. Dropped unanswered, it answers 500. It is a part of the request's
/// `rack.hijack`, so that one allocation, and one object of Ruby's, does for both.
#[derive(Debug)]
pub(crate) struct Pending(Mutex<State>);

#[derive(Debug)]
enum State {
    Waiting(Ours<Responder>),
    /// The application answers by itself.
    Hijacked(Ours<Hijacked>),
    Answered,
}

impl Pending {
    pub(crate) fn new(responder: Responder) -> Self {
        Pending(Mutex::new(State::Waiting(Ours::new(responder))))
    }

    /// The responder, for the response. `None` when it was answered before.
    pub(crate) fn take(&self) -> Option<Responder> {
        let mut state = self.lock();
        match std::mem::replace(&mut *state, State::Answered) {
            State::Waiting(responder) => Some(responder.into_inner()),
            other => {
                *state = other;
                None
            }
        }
    }

    /// Leaves the request to the application; false when it was answered before.
    pub(crate) fn hijack(&self, socket: UnixStream) -> bool {
        let mut state = self.lock();
        match std::mem::replace(&mut *state, State::Answered) {
            State::Waiting(responder) if !responder.is_elsewhere() => {
                *state = State::Hijacked(Ours::new(responder.into_inner().hijack(socket)));
                true
            }
            other => {
                *state = other;
                false
            }
        }
    }

    /// What tells of the end, when the application answers by itself.
    pub(crate) fn hijacked(&self) -> Option<Hijacked> {
        match &*self.lock() {
            State::Hijacked(hijacked) => Some(Hijacked::clone(hijacked)),
            State::Waiting(_) | State::Answered => None,
        }
    }

    /// Calls `on_finish` when the response is over; see [`Responder::on_finish`].
    pub(crate) fn on_finish(&self, on_finish: impl FnOnce(Outcome) + Send + 'static) {
        if let Some(responder) = self.lock().responder() {
            responder.on_finish(on_finish);
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn responder(&mut self) -> Option<&mut Responder> {
        match self {
            State::Waiting(responder) => Some(responder),
            State::Hijacked(_) | State::Answered => None,
        }
    }
}

/// `rack.early_hints`: sends header fields ahead of the response, with status 103 (RFC 8297).
#[derive(TypedData)]
#[magnus(class = "HyperionRs::Native::EarlyHints", free_immediately, mark)]
pub(crate) struct EarlyHints {
    hijack: Opaque<Obj<Hijack>>,
    calls: AtomicUsize,
    logger: Logger,
}

/// Go's HTTP client gives up on a response after more than five informational ones; 100 (Continue) may be one of them.
const MAX_HINTS: usize = 4;

impl magnus::DataTypeFunctions for EarlyHints {
    fn mark(&self, marker: &gc::Marker) {
        marker.mark(self.hijack);
        self.logger.mark(marker);
    }
}

impl EarlyHints {
    /// Of the request whose `rack.hijack` that is.
    pub(crate) fn new(hijack: Obj<Hijack>, logger: Logger) -> Self {
        EarlyHints { hijack: hijack.into(), calls: AtomicUsize::new(0), logger }
    }

    /// Takes a Hash of header fields. After the response has begun it does nothing, as hints would come too late.
    fn call(ruby: &Ruby, rb_self: &Self, headers: RHash) -> Result<(), Error> {
        let mut head = Head::new(StatusCode::from_u16(103).expect("a valid status"));
        respond::fields(ruby, &mut head, headers.as_value())?;
        // Rails hints at no more than an empty list when a tag is of no use to the client ahead of time.
        if !head.has_values() {
            return Ok(());
        }
        let before = rb_self.calls.fetch_add(1, Relaxed);
        if before == MAX_HINTS {
            let line = format!("rack.early_hints: only the first {MAX_HINTS} of a request are sent");
            return rb_self.logger.write(ruby, Level::Debug, line);
        }
        let hijack = ruby.get_inner(rb_self.hijack);
        if let Some(responder) = hijack.pending().lock().responder().filter(|_| before < MAX_HINTS) {
            responder.inform(head);
        }
        Ok(())
    }
}

pub(crate) fn define(ruby: &Ruby, native: RModule) -> Result<(), Error> {
    let class = native.define_class("EarlyHints", ruby.class_object())?;
    class.undef_default_alloc_func();
    gvl::settle_class::<EarlyHints>(ruby);
    class.define_method("call", method!(EarlyHints::call, 1))
}
