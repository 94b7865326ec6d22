//! What the core reports, on its way to a Ruby logger: the reactor may not touch Ruby, so that lines go by way of the
//! supervisor.

use std::fmt::Display;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering::Relaxed};

use hyperion_core::report::{Event, Level};
use magnus::prelude::*;
use magnus::{Error, RString, Ruby, Value};
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

    /// Takes the level of a Ruby logger; one that does not tell a number gets everything but debug lines.
    pub(crate) fn follow(&self, logger: Value) -> Result<(), Error> {
        const DEBUG: i64 = 0;
        if logger.respond_to("level", false)? {
            let Some(level) = magnus::Integer::from_value(logger.funcall("level", ())?) else {
                return Ok(());
            };
            let level = level.to_i64()?;
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

/// Writes one line. A logger that fails does not stop the server: standard error is the last resort. The only error
/// is one that is meant for the thread, such as an Interrupt.
pub(crate) fn write(ruby: &Ruby, logger: Value, level: Level, line: &str) -> Result<(), Error> {
    let method = match level {
        Level::Debug => "debug",
        Level::Info => "info",
        Level::Warn => "warn",
        Level::Error => "error",
    };
    let logged = logger.funcall::<_, _, Value>(method, (line,));
    let Err(failure) = failure_of(ruby, logged)? else { return Ok(()) };
    let line = format!("hyperion-rs: {line} (and the logger failed: {failure})");
    // When that fails too, there is nobody left to tell.
    let _ = failure_of(ruby, ruby.module_kernel().funcall::<_, _, Value>("warn", (line,)))?;
    Ok(())
}

/// Writes the full report of an exception that the application raised.
pub(crate) fn write_exception(
    ruby: &Ruby,
    logger: Value,
    what: impl Display,
    error: &Error,
) -> Result<(), Error> {
    let report = match failure_of(ruby, report(ruby, error))? {
        Ok(report) => report,
        Err(failure) => format!("{error} (and its full message failed: {failure})"),
    };
    write(ruby, logger, Level::Error, &format!("{what}: {report}"))
}

/// Message, backtrace and causes, whatever bytes they hold.
fn report(ruby: &Ruby, error: &Error) -> Result<String, Error> {
    let Some(exception) = error.value().filter(|value| value.is_kind_of(ruby.exception_exception())) else {
        return Ok(error.to_string());
    };
    let options = ruby.hash_new();
    options.aset(ruby.to_symbol("highlight"), false)?;
    let report: RString = exception.funcall("full_message", (magnus::KwArgs(options),))?;
    // SAFETY: the bytes are copied before anything of Ruby is called.
    Ok(String::from_utf8_lossy(unsafe { report.as_slice() }).into_owned())
}

/// Keeps a failure apart from what came from outside and has to go on: signals, `exit`, the end of the thread.
fn failure_of<T>(ruby: &Ruby, result: Result<T, Error>) -> Result<Result<T, Error>, Error> {
    match result {
        Err(error) if !error.is_kind_of(ruby.exception_standard_error()) => Err(error),
        result => Ok(result),
    }
}
