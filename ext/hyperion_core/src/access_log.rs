//! A line for each request, written by a thread of its own: who serves hands over what is to be said and goes on.

mod line;
mod output;
mod words;

use std::fmt;
use std::io;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use crate::handler::Handler;
use crate::report::{Event, Level};
pub use line::Format;
use line::Writer;
pub(crate) use line::{End, Line};
use output::Output;
pub use output::Target;

/// Lines that may wait to be written, of some hundred bytes each; more are dropped, and counted.
const CAPACITY: usize = 16 * 1024;
/// Lines that are worth a write before the pause is over.
const BATCH: usize = CAPACITY / 4;
/// Between two writes, in which lines gather: so the thread wakes only some times a second however many there are. The
/// first line after a rest is written at once.
const PAUSE: Duration = Duration::from_millis(50);
/// For the last lines to be written, when the server ends: what they are written to may be stuck.
const FINISH_TIMEOUT: Duration = Duration::from_secs(5);

/// An access log that is open. Lines gather until it is started.
#[derive(Clone)]
pub struct AccessLog(Arc<Shared>);

struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    lines: Vec<Line>,
    /// Since they were last reported.
    dropped: u64,
    reopen: bool,
    closed: bool,
    /// Taken by the thread.
    work: Option<(Writer, Output)>,
    /// The thread has ended.
    finished: bool,
}

impl AccessLog {
    /// Opens the log, so that an error reaches whoever configured it.
    pub fn open(format: Format, target: Target) -> io::Result<Self> {
        let work = Some((Writer::new(format), Output::open(target)?));
        let state = Mutex::new(State { work, ..State::default() });
        Ok(AccessLog(Arc::new(Shared { state, changed: Condvar::new() })))
    }

    /// Starts the thread that writes. Not before a fork: threads do not survive it.
    pub fn start(&self, reporter: Arc<dyn Handler>) -> io::Result<()> {
        let Some((writer, output)) = self.0.lock().work.take() else { return Ok(()) };
        let shared = self.0.clone();
        let work = move || shared.work(writer, output, &*reporter);
        thread::Builder::new().name("hyperion-log".into()).spawn(work).map(drop)
    }

    /// Adds a line. Never blocks on the disk.
    pub(crate) fn push(&self, line: Line) {
        let mut state = self.0.lock();
        if state.closed || state.lines.len() >= CAPACITY {
            state.dropped += 1;
            return;
        }
        state.lines.push(line);
        if state.lines.len() == 1 || state.lines.len() == BATCH {
            self.0.changed.notify_all();
        }
    }

    /// Opens the file anew, by its path: what was renamed is let go. Lines that were pushed before are written first.
    pub fn reopen(&self) {
        self.0.lock().reopen = true;
        self.0.changed.notify_all();
    }

    /// Takes no more lines, and waits until the others are written, for some seconds at most.
    pub fn finish(&self) {
        self.finish_within(FINISH_TIMEOUT);
    }

    fn finish_within(&self, timeout: Duration) {
        let mut state = self.0.lock();
        state.closed = true;
        self.0.changed.notify_all();
        if state.work.is_none() {
            // When time is up, what cannot be written is lost with the process.
            drop(self.0.changed.wait_timeout_while(state, timeout, |state| !state.finished));
        }
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until there is something to write, or to do.
    fn wait(&self) -> MutexGuard<'_, State> {
        let rest = |state: &mut State| state.lines.is_empty() && !state.is_urgent();
        self.changed.wait_while(self.lock(), rest).unwrap_or_else(PoisonError::into_inner)
    }

    /// Lets lines gather.
    fn pause(&self) {
        let gather = |state: &mut State| state.lines.len() < BATCH && !state.is_urgent();
        drop(self.changed.wait_timeout_while(self.lock(), PAUSE, gather));
    }

    fn work(&self, mut writer: Writer, mut output: Output, reporter: &dyn Handler) {
        let mut lines = Vec::new();
        loop {
            let mut state = self.wait();
            std::mem::swap(&mut lines, &mut state.lines);
            let (dropped, reopen) = (std::mem::take(&mut state.dropped), std::mem::take(&mut state.reopen));
            let closed = state.closed;
            drop(state);
            let mut written = writer.write(&mut lines, &mut output);
            if reopen {
                written = written.and(output.reopen());
            }
            if let Err(error) = written {
                let event = Event::AccessLogFailed { target: output.target(), error: &error };
                reporter.report(Level::Error, &event);
            }
            if dropped > 0 {
                reporter.report(Level::Warn, &Event::AccessLogDropped { lines: dropped });
            }
            if closed {
                break;
            }
            self.pause();
        }
        self.lock().finished = true;
        self.changed.notify_all();
    }
}

impl State {
    fn is_urgent(&self) -> bool {
        self.reopen || self.closed
    }
}

impl fmt::Debug for AccessLog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AccessLog").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
