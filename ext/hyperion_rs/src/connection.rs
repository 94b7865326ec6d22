//! `HyperionRs::Native::Connection`: one connection of a handler, for the thread or fiber that waits for its end.

use std::os::fd::{IntoRawFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use hyperion_core::adopted;
use magnus::prelude::*;
use magnus::{Error, RModule, Ruby, TypedData, method};
use tokio::sync::watch;
use tokio::task::AbortHandle;

use crate::fork::Ours;
use crate::gvl;
use crate::handler::Serving;
use crate::site::Site;

/// A connection that is served. In a forked child it is over.
#[derive(TypedData)]
#[magnus(class = "HyperionRs::Native::Connection", free_immediately)]
pub(crate) struct Connection(Ours<Parts>);

struct Parts {
    task: AbortHandle,
    end: Arc<End>,
    over: watch::Receiver<()>,
    site: Arc<Site>,
}

/// How the end is told to one that waits for a descriptor.
#[derive(Default)]
struct End(Mutex<Bell>);

#[derive(Default)]
struct Bell {
    over: bool,
    /// Closed at the end, which makes the other side of it readable.
    rope: Option<OwnedFd>,
}

/// Belongs to the connection's task, and ends with it, whatever ends that.
struct Life {
    end: Arc<End>,
    /// Dropped after `end` has heard of it.
    _over: watch::Sender<()>,
}

impl Drop for Life {
    fn drop(&mut self) {
        let mut bell = self.end.lock();
        bell.over = true;
        drop(bell.rope.take());
    }
}

impl End {
    fn lock(&self) -> MutexGuard<'_, Bell> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl magnus::DataTypeFunctions for Connection {}

impl Connection {
    /// Runs the connection in the reactor.
    pub(crate) fn begin(connection: adopted::Connection, serving: &Arc<Serving>) -> Self {
        let (sender, over) = watch::channel(());
        let end = Arc::<End>::default();
        let life = Life { end: end.clone(), _over: sender };
        let task = serving.pool.engine.handle().spawn({
            let serving = serving.clone();
            async move {
                connection.await;
                drop((serving, life));
            }
        });
        Connection(Ours::new(Parts { task: task.abort_handle(), end, over, site: serving.site.clone() }))
    }

    /// Waits until the connection is over, without the GVL.
    fn wait(ruby: &Ruby, rb_self: &Self) -> Result<(), Error> {
        if rb_self.0.is_elsewhere() {
            return Ok(());
        }
        let mut over = rb_self.0.over.clone();
        gvl::wait(ruby, async move {
            // Nothing is ever sent: the error is the end.
            let _ = over.changed().await;
        })
    }

    /// A descriptor for the caller to own, which becomes readable when the connection is over. Nil when it is.
    fn bell(ruby: &Ruby, rb_self: &Self) -> Result<Option<i32>, Error> {
        if rb_self.0.is_elsewhere() {
            return Ok(None);
        }
        let mut bell = rb_self.0.end.lock();
        if bell.over {
            return Ok(None);
        }
        let (ear, rope) = UnixStream::pair()
            .map_err(|error| Error::new(ruby.exception_io_error(), format!("cannot wait: {error}")))?;
        bell.rope = Some(rope.into());
        Ok(Some(ear.into_raw_fd()))
    }

    /// Drops the connection, unless it is over; then does what it has left for a thread with the GVL. Answers what
    /// `settled?` takes.
    fn close(ruby: &Ruby, rb_self: &Self) -> Result<u64, Error> {
        if rb_self.0.is_elsewhere() {
            return Ok(0);
        }
        rb_self.0.task.abort();
        rb_self.0.site.tend(ruby)
    }

    /// Whether other threads, too, are done with what the connection had left.
    fn is_settled(&self, turn: u64) -> bool {
        self.0.is_elsewhere() || self.0.site.is_settled(turn)
    }
}

pub(crate) fn define(ruby: &Ruby, native: RModule) -> Result<(), Error> {
    let class = native.define_class("Connection", ruby.class_object())?;
    class.undef_default_alloc_func();
    gvl::settle_class::<Connection>(ruby);
    class.define_method("wait", method!(Connection::wait, 0))?;
    class.define_method("bell", method!(Connection::bell, 0))?;
    class.define_method("settled?", method!(Connection::is_settled, 1))?;
    class.define_method("close", method!(Connection::close, 0))
}
