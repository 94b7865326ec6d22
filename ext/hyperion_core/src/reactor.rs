//! The way back from the application's threads to the reactor: finished responses gather in one inbox, and the
//! reactor is woken once for all that come while it is busy.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use tokio::sync::Notify;

use crate::body::BodySender;
use crate::report::{Event, Level, Reporter};
use crate::response::{Head, Record, Reply, Response};
use crate::stream::tunnel::Link;

/// What the application answered, on its way to its stream.
#[derive(Debug)]
pub(crate) struct Completion {
    pub(crate) reply: Reply,
    pub(crate) answer: Answer,
    pub(crate) record: Box<Record>,
}

#[derive(Debug)]
pub(crate) enum Answer {
    /// A response.
    Response(Response),
    /// One with a whole body that memory has no room for, and the sender that takes it.
    Spill(Response, BodySender, Bytes),
    /// The application goes on by itself; with a head, after that.
    Tunnel(Option<Head>, Link),
}

#[derive(Debug)]
pub(crate) struct Reactor {
    /// `None` when nobody delivers any more.
    inbox: Mutex<Option<Vec<Completion>>>,
    filled: Notify,
}

impl Default for Reactor {
    fn default() -> Self {
        Reactor { inbox: Mutex::new(Some(Vec::new())), filled: Notify::new() }
    }
}

impl Completion {
    /// Sends the response. A panic costs this response alone: the task that delivers is the only one there is.
    fn deliver(self, reporter: &(impl Reporter + ?Sized)) {
        let Completion { reply, answer, mut record } = self;
        record.release_request();
        let mut spill = None;
        // What the panic leaves behind belongs to this stream and its connection.
        let delivered = catch_unwind(AssertUnwindSafe(|| match answer {
            Answer::Response(response) => reply.deliver(response, record),
            Answer::Spill(response, sender, bytes) => {
                spill = Some((sender, bytes));
                reply.deliver(response, record);
            }
            Answer::Tunnel(head, link) => reply.tunnel(head, link, record),
        }));
        if let Err(panic) = delivered {
            let reason = message(&*panic).to_owned();
            reporter.report(Level::Error, &Event::Panicked { reason });
        }
        if let Some((sender, bytes)) = spill {
            // Not awaited: the sender tells the response how it went.
            drop(tokio::task::spawn_blocking(move || sender.fill(bytes)));
        }
    }
}

fn message(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("of unknown cause")
}

impl Reactor {
    /// Hands a response over; from any thread, never blocking on the network.
    pub(crate) fn push(&self, completion: Completion) {
        let was_empty = match &mut *self.inbox() {
            Some(inbox) => {
                inbox.push(completion);
                inbox.len() == 1
            }
            None => return,
        };
        if was_empty {
            self.filled.notify_one();
        }
    }

    /// Drops what is not delivered yet, and what is still to come: the connections are gone. A response that stayed
    /// would keep the inbox that it is in.
    pub(crate) fn close(&self) {
        let undelivered = self.inbox().take();
        drop(undelivered);
    }

    fn inbox(&self) -> MutexGuard<'_, Option<Vec<Completion>>> {
        self.inbox.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Delivers what comes, for as long as the runtime lives.
    pub(crate) async fn run(&self, reporter: &(impl Reporter + ?Sized)) {
        let mut batch = Vec::new();
        loop {
            self.filled.notified().await;
            loop {
                if let Some(inbox) = &mut *self.inbox() {
                    std::mem::swap(&mut batch, inbox);
                }
                if batch.is_empty() {
                    break;
                }
                for completion in batch.drain(..) {
                    completion.deliver(reporter);
                }
                // The connections write now; what finishes meanwhile needs no wake-up.
                tokio::task::yield_now().await;
            }
        }
    }
}
