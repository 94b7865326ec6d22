//! Reads of request bodies that hold threads, for one who may run out of threads.

use std::future::poll_fn;
use std::sync::{Mutex, MutexGuard, PoisonError};

use bytes::Bytes;

use super::incoming::{BodyError, Incoming, Pause};

/// The reads that wait, each in a thread that others could use. Streams of messages may be silent for ever: when there
/// is need of a thread, one whose client has said nothing for `body_timeout` is ended.
#[derive(Debug, Default)]
pub struct Reads(Mutex<Vec<Pause>>);

/// A read that waits; dropped when it does no longer.
struct Waiting<'a> {
    reads: &'a Reads,
    pause: Pause,
}

impl Reads {
    /// Reads as [`Incoming::poll_read`] does, for a caller whose thread waits meanwhile.
    pub async fn read(&self, body: &Incoming) -> Result<Option<Bytes>, BodyError> {
        let mut waiting = None;
        poll_fn(|cx| {
            let read = body.poll_read(cx);
            if read.is_pending() {
                waiting.get_or_insert_with(|| self.wait(body));
            }
            read
        })
        .await
    }

    /// Whether a client has been silent for longer than `body_timeout`.
    pub fn has_overdue(&self) -> bool {
        self.lock().iter().any(|read| read.overdue_since().is_some())
    }

    /// Ends the body of the client that has been silent for longest, and for longer than `body_timeout`: its reader is
    /// told [`BodyError::TimedOut`]. False when there is none.
    pub fn end_longest(&self) -> bool {
        let overdue = |read: &Pause| Some((read.overdue_since()?, read.clone()));
        let longest = self.lock().iter().filter_map(overdue).min_by_key(|(since, _)| *since);
        longest.is_some_and(|(_, read)| read.end())
    }

    fn wait(&self, body: &Incoming) -> Waiting<'_> {
        let pause = body.pause();
        self.lock().push(pause.clone());
        Waiting { reads: self, pause }
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Pause>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        let mut reads = self.reads.lock();
        if let Some(at) = reads.iter().position(|read| read.is(&self.pause)) {
            reads.swap_remove(at);
        }
    }
}
