//! What the core reports, on its way to a Ruby logger: the reactor may not touch Ruby, so that lines go by way of the
//! supervisor.

use std::sync::atomic::{AtomicU8, AtomicU64, Ordering::Relaxed};

use hyperion_core::report::{Event, Level};
use magnus::prelude::*;
use magnus::{Error, Ruby, Value};
use tokio::sync::mpsc::Sender;

use crate::supervisor::Notice;

/// Takes the core's events and passes them on as lines.
#[derive(Debug)]
pub(crate) struct Log {
    threshold: AtomicU8,
    dropped: AtomicU64,
    notices: Sender<Notice>,
}

impl Log {
    pub(crate) fn new(notices: Sender<Notice>) -> Self {
        Log { threshold: AtomicU8::new(Level::Info as u8), dropped: AtomicU64::new(0), notices }
    }

    /// Takes the level of a Ruby logger; one that does not tell gets everything but debug lines.
    pub(crate) fn follow(&self, logger: Value) -> Result<(), Error> {
        const DEBUG: i64 = 0;
        if logger.respond_to("level", false)? {
            let level: i64 = logger.funcall("level", ())?;
            self.threshold.store(level.clamp(DEBUG, i64::from(Level::Error as u8)) as u8, Relaxed);
        }
        Ok(())
    }

    pub(crate) fn enabled(&self, level: Level) -> bool {
        level as u8 >= self.threshold.load(Relaxed)
    }

    /// Queues a line. When the supervisor cannot keep up, lines are dropped and counted: a flood of them would
    /// otherwise be a way to fill the memory.
    pub(crate) fn report(&self, level: Level, event: &Event<'_>) {
        if self.notices.try_send(Notice::Log(level, event.to_string())).is_err() {
            self.dropped.fetch_add(1, Relaxed);
        }
    }

    /// Lines dropped since the last call.
    pub(crate) fn take_dropped(&self) -> u64 {
        self.dropped.swap(0, Relaxed)
    }
}

/// Writes one line.
pub(crate) fn write(logger: Value, level: Level, line: &str) -> Result<(), Error> {
    let method = match level {
        Level::Debug => "debug",
        Level::Info => "info",
        Level::Warn => "warn",
        Level::Error => "error",
    };
    logger.funcall::<_, _, Value>(method, (line,)).map(drop)
}

/// Writes the full report of an exception that the application raised.
pub(crate) fn write_exception(ruby: &Ruby, logger: Value, what: &str, error: &Error) -> Result<(), Error> {
    let report: String = match error.value().filter(|value| value.is_kind_of(ruby.exception_exception())) {
        Some(exception) => {
            let options = ruby.hash_new();
            options.aset(ruby.to_symbol("highlight"), false)?;
            exception.funcall("full_message", (magnus::KwArgs(options),))?
        }
        None => error.to_string(),
    };
    write(logger, Level::Error, &format!("{what}: {report}"))
}
