//! `rack.hijack`, and the sockets by which an application talks to its client itself. It has one end of a pair, a
//! UNIXSocket like any other; the core has the other end.

use std::os::fd::IntoRawFd;
use std::os::unix::net::UnixStream;
use std::sync::OnceLock;

use hyperion_core::response::{Head, Responder};
use magnus::prelude::*;
use magnus::rb_sys::FromRawValue;
use magnus::value::Opaque;
use magnus::{Error, RClass, RHash, RModule, Ruby, TypedData, Value, gc, method};

use crate::handle::Pending;
use crate::{gvl, jump, keys};

/// `rack.hijack`: leaves the request to the application. The response that it returns after that is of no account.
#[derive(TypedData)]
#[magnus(class = "HyperionRs::Native::Hijack", free_immediately, mark)]
pub(crate) struct Hijack {
    pending: Pending,
    env: OnceLock<Opaque<RHash>>,
    /// What the application got.
    io: OnceLock<Opaque<Value>>,
}

impl magnus::DataTypeFunctions for Hijack {
    fn mark(&self, marker: &gc::Marker) {
        self.env.get().into_iter().for_each(|env| marker.mark(*env));
        self.io.get().into_iter().for_each(|io| marker.mark(*io));
    }
}

impl Hijack {
    /// Holds the responder of its request, too.
    pub(crate) fn new(responder: Responder) -> Self {
        Hijack { pending: Pending::new(responder), env: OnceLock::new(), io: OnceLock::new() }
    }

    pub(crate) fn pending(&self) -> &Pending {
        &self.pending
    }

    /// The env that it belongs to.
    pub(crate) fn belong_to(&self, env: RHash) {
        self.env.get_or_init(|| env.into());
    }

    /// Answers the socket, and leaves it in `rack.hijack_io` too, where Rack 2 has it looked for.
    fn call(ruby: &Ruby, rb_self: &Self) -> Result<Value, Error> {
        if let Some(io) = rb_self.io.get() {
            return Ok(ruby.get_inner(*io));
        }
        let (ours, io) = sockets(ruby)?;
        if !rb_self.pending.hijack(ours) {
            close(io)?;
            let reason = "rack.hijack comes too late: the response has begun, or this is another process";
            return Err(Error::new(ruby.exception_io_error(), reason));
        }
        rb_self.io.get_or_init(|| io.into());
        if let Some(env) = rb_self.env.get() {
            ruby.get_inner(*env).aset(hijack_io(ruby), io)?;
        }
        Ok(io)
    }
}

/// Sends the head, and calls what writes the body, which gets a socket. That is kept open as long as the application
/// likes.
pub(crate) fn hand_over(ruby: &Ruby, responder: Responder, head: Head, body: Value) -> Result<(), Error> {
    // Dropped unused, the responder answers 500.
    let (ours, io) = sockets(ruby)?;
    let failure = responder.respond_tunnel(head, ours);
    let called = body.funcall::<_, _, Value>(*keys::CALL, (io,));
    called.map(drop).inspect_err(|_| {
        // The client must see that the body is not whole. The socket may be closed already, or broken.
        failure.set();
        drop(jump::aside(|| close(io)));
    })
}

/// Two ends that are connected: the core's, and the application's.
fn sockets(ruby: &Ruby) -> Result<(UnixStream, Value), Error> {
    let failed =
        |error| Error::new(ruby.exception_io_error(), format!("no socket for the application: {error}"));
    let (ours, theirs) = UnixStream::pair().map_err(failed)?;
    theirs.set_nonblocking(true).map_err(failed)?;
    let class: RClass = ruby.class_object().const_get("UNIXSocket")?;
    // From here on Ruby owns the descriptor, and closes it when the socket is collected at the latest.
    let io = class.funcall("for_fd", (theirs.into_raw_fd(),))?;
    Ok((ours, io))
}

fn close(io: Value) -> Result<(), Error> {
    io.funcall::<_, _, Value>(*keys::CLOSE, ()).map(drop)
}

fn hijack_io(ruby: &Ruby) -> Value {
    // SAFETY: it is pinned for as long as the process lives.
    unsafe { Value::from_raw(keys::keys(ruby).hijack_io) }
}

pub(crate) fn define(ruby: &Ruby, native: RModule) -> Result<(), Error> {
    // Applications may ask for it while they fork or run out of descriptors.
    ruby.require("socket")?;
    let class = native.define_class("Hijack", ruby.class_object())?;
    class.undef_default_alloc_func();
    gvl::settle_class::<Hijack>(ruby);
    class.define_method("call", method!(Hijack::call, 0))
}
