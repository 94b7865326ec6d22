//! The log of a site: what the core reports gathers here, as the reactor may not touch Ruby, until a thread with the GVL
//! writes it to a Ruby logger.

use std::borrow::Cow;
use std::collections::VecDeque;
use std::fmt::Display;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use hyperion_core::report::{Event, Level};
use magnus::prelude::*;
use magnus::value::Opaque;
use magnus::{Error, RArray, RHash, RString, Ruby, Value, gc};

/// Lines that may wait to be written.
const LINES: usize = 1024;

/// How a logger wants to be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Style {
    /// By a String.
    Lines,
    /// By a block that answers a Hash with a `message`.
    Hashes,
}

/// A Ruby logger. Whoever holds one has it marked.
#[derive(Clone, Copy)]
pub(crate) struct Logger {
    object: Opaque<Value>,
    style: Style,
}

/// One line.
#[derive(Debug)]
pub(crate) struct Entry {
    message: Cow<'static, str>,
    fields: Vec<(&'static str, Field)>,
}

/// What a field of a structured line holds.
#[derive(Debug)]
pub(crate) enum Field {
    Text(String),
    Number(u64),
    Millis(f64),
}

impl Logger {
    pub(crate) fn new(object: Value, style: Style) -> Self {
        Logger { object: object.into(), style }
    }

    pub(crate) fn mark(&self, marker: &gc::Marker) {
        marker.mark(self.object);
    }

    /// The least severity that it writes. One that does not tell a number is asked for everything when it is told by
    /// blocks, as it calls them only when it likes, and spared debug lines otherwise.
    fn threshold(&self, ruby: &Ruby) -> Result<Level, Error> {
        let object = ruby.get_inner(self.object);
        let level = match object.respond_to("level", false)? {
            true => magnus::Integer::from_value(object.funcall("level", ())?),
            false => None,
        };
        Ok(match (level.map(|level| level.to_i64()).transpose()?, self.style) {
            (Some(..=0), _) | (None, Style::Hashes) => Level::Debug,
            (Some(1), _) | (None, Style::Lines) => Level::Info,
            (Some(2), _) => Level::Warn,
            (Some(_), _) => Level::Error,
        })
    }

    /// Writes one line of words.
    pub(crate) fn write(
        &self,
        ruby: &Ruby,
        level: Level,
        line: impl Into<Cow<'static, str>>,
    ) -> Result<(), Error> {
        self.write_entry(ruby, level, Entry { message: line.into(), fields: Vec::new() })
    }

    /// Writes one line. A logger that fails does not stop the server: standard error is the last resort. The only
    /// error is one that is meant for the thread, such as an Interrupt.
    fn write_entry(&self, ruby: &Ruby, level: Level, entry: Entry) -> Result<(), Error> {
        let method = match level {
            Level::Debug => "debug",
            Level::Info => "info",
            Level::Warn => "warn",
            Level::Error => "error",
        };
        let (object, entry) = (ruby.get_inner(self.object), Arc::new(entry));
        let logged = match self.style {
            Style::Lines => object.funcall::<_, _, Value>(method, (&*entry.message,)),
            Style::Hashes => {
                let entry = entry.clone();
                let block = ruby.proc_from_fn(move |ruby, _, _| entry.to_hash(ruby));
                object.funcall_with_block(method, (), block)
            }
        };
        let Err(failure) = failure_of(ruby, logged)? else { return Ok(()) };
        let line = format!("hyperion-rs: {} (and the logger failed: {failure})", entry.message);
        // When that fails too, there is nobody left to tell.
        let _ = failure_of(ruby, ruby.module_kernel().funcall::<_, _, Value>("warn", (line,)))?;
        Ok(())
    }

    /// Writes the full report of an exception that the application raised.
    pub(crate) fn write_exception(
        &self,
        ruby: &Ruby,
        what: impl Display,
        error: &Error,
    ) -> Result<(), Error> {
        let entry = match self.style {
            Style::Lines => {
                let report = match failure_of(ruby, report(ruby, error))? {
                    Ok(report) => report,
                    Err(failure) => format!("{error} (and its full message failed: {failure})"),
                };
                Entry { message: format!("{what}: {report}").into(), fields: Vec::new() }
            }
            Style::Hashes => match failure_of(ruby, Entry::of_exception(ruby, &what, error))? {
                Ok(entry) => entry,
                Err(failure) => {
                    Entry::failed(format!("{error} (and its report failed: {failure})"), "unknown")
                }
            },
        };
        self.write_entry(ruby, Level::Error, entry)
    }
}

impl Entry {
    /// The line for an event of the core.
    pub(crate) fn of(event: &Event<'_>, style: Style) -> Self {
        if style == Style::Lines {
            return Entry { message: event.to_string().into(), fields: Vec::new() };
        }
        let text = |text: &dyn Display| Field::Text(text.to_string());
        let (message, fields) = match event {
            Event::AcceptFailed { listener, error } => {
                ("h2 accept failed", vec![("listener", text(listener)), ("error", text(error))])
            }
            Event::HandshakeFailed { peer, reason } => {
                ("h2 tls handshake failed", vec![("reason", text(reason)), ("peer", text(peer))])
            }
            Event::ConnectionError { peer, reason } => {
                let mut entry = Entry::failed(reason.clone(), "ConnectionError");
                entry.fields.push(("peer", text(peer)));
                ("h2 connection error", entry.fields)
            }
            Event::RequestRejected { peer, stream_id, reason } => (
                "h2 request rejected",
                vec![
                    ("reason", text(reason)),
                    ("stream_id", Field::Number((*stream_id).into())),
                    ("peer", text(peer)),
                ],
            ),
            Event::ResponseError { stream_id, reason } => (
                "h2 response error",
                vec![("reason", text(reason)), ("stream_id", Field::Number((*stream_id).into()))],
            ),
            Event::Panicked { reason } => return Entry::failed(reason.clone(), "panic"),
            Event::BodyFailed { stream_id, reason } => (
                "h2 body failed",
                vec![("reason", text(reason)), ("stream_id", Field::Number((*stream_id).into()))],
            ),
            Event::AccessLogFailed { target, error } => {
                ("access log failed", vec![("target", text(target)), ("error", text(error))])
            }
            Event::AccessLogDropped { lines } => {
                ("access log lines dropped", vec![("lines", Field::Number(*lines))])
            }
            Event::FirstStream { peer, stages } => {
                let millis = stages.millis().map(|(name, millis)| (name, Field::Millis(millis)));
                ("h2 first-stream timing", millis.into_iter().chain([("peer", text(peer))]).collect())
            }
        };
        Entry { message: message.into(), fields }
    }

    fn failed(error: String, class: &str) -> Self {
        let fields = vec![
            ("error", Field::Text(error)),
            ("error_class", Field::Text(class.to_owned())),
            ("backtrace", Field::Text(String::new())),
        ];
        Entry { message: "h2 stream dispatch failed".into(), fields }
    }

    fn of_exception(ruby: &Ruby, what: &impl Display, error: &Error) -> Result<Self, Error> {
        let Some(exception) = error.value().filter(|value| value.is_kind_of(ruby.exception_exception()))
        else {
            return Ok(Entry::failed(error.to_string(), "unknown"));
        };
        let message: RString = exception.funcall("message", ())?;
        let trace: Option<RArray> = exception.funcall("backtrace", ())?;
        let frames: Vec<_> =
            trace.into_iter().flatten().take(FRAMES).map(|frame| frame.to_string()).collect();
        // SAFETY: the name is copied before anything of Ruby is called.
        let class = unsafe { exception.classname() }.into_owned();
        let mut entry = Entry::failed(lossy(message), &class);
        entry.fields[2].1 = Field::Text(frames.join(" | "));
        entry.fields.push(("request", Field::Text(what.to_string())));
        Ok(entry)
    }

    fn to_hash(&self, ruby: &Ruby) -> Result<RHash, Error> {
        let hash = ruby.hash_new();
        hash.aset(ruby.to_symbol("message"), &*self.message)?;
        for (name, field) in &self.fields {
            let name = ruby.to_symbol(name);
            match field {
                Field::Text(text) => hash.aset(name, text.as_str())?,
                Field::Number(number) => hash.aset(name, *number)?,
                Field::Millis(millis) => hash.aset(name, *millis)?,
            }
        }
        Ok(hash)
    }
}

/// Frames of a backtrace in a structured line.
const FRAMES: usize = 10;

/// What waits to be written.
#[derive(Debug)]
pub(crate) struct Backlog {
    threshold: AtomicU8,
    style: Style,
    lines: Mutex<VecDeque<(Level, Entry)>>,
    dropped: AtomicU64,
}

impl Backlog {
    /// For lines that a logger of this level and style will write.
    pub(crate) fn of(ruby: &Ruby, logger: Logger) -> Result<Self, Error> {
        Ok(Backlog {
            threshold: AtomicU8::new(logger.threshold(ruby)? as u8),
            style: logger.style,
            lines: Mutex::default(),
            dropped: AtomicU64::new(0),
        })
    }

    pub(crate) fn enabled(&self, level: Level) -> bool {
        level as u8 >= self.threshold.load(Relaxed)
    }

    /// Adds the line of an event. When the writer cannot keep up, lines are dropped and counted: a flood of them would
    /// otherwise be a way to fill the memory.
    pub(crate) fn push(&self, level: Level, event: &Event<'_>) {
        let mut lines = self.lines();
        if lines.len() < LINES {
            lines.push_back((level, Entry::of(event, self.style)));
        } else {
            self.dropped.fetch_add(1, Relaxed);
        }
    }

    /// Writes what waits.
    pub(crate) fn write(&self, ruby: &Ruby, logger: Logger) -> Result<(), Error> {
        while let Some((level, entry)) = self.next() {
            logger.write_entry(ruby, level, entry)?;
        }
        match self.dropped.swap(0, Relaxed) {
            0 => Ok(()),
            dropped => {
                logger.write(ruby, Level::Warn, format!("{dropped} log lines were dropped: too many at once"))
            }
        }
    }

    fn next(&self) -> Option<(Level, Entry)> {
        self.lines().pop_front()
    }

    fn lines(&self) -> MutexGuard<'_, VecDeque<(Level, Entry)>> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Message, backtrace and causes, whatever bytes they hold.
fn report(ruby: &Ruby, error: &Error) -> Result<String, Error> {
    let Some(exception) = error.value().filter(|value| value.is_kind_of(ruby.exception_exception())) else {
        return Ok(error.to_string());
    };
    let options = ruby.hash_new();
    options.aset(ruby.to_symbol("highlight"), false)?;
    let mut report = exception.funcall("full_message", (magnus::KwArgs(options),)).map(lossy)?;
    // The logger ends the line.
    report.truncate(report.trim_end().len());
    Ok(report)
}

fn lossy(string: RString) -> String {
    // SAFETY: the bytes are copied before anything of Ruby is called.
    String::from_utf8_lossy(unsafe { string.as_slice() }).into_owned()
}

/// Keeps a failure apart from what came from outside and has to go on: signals, `exit`, the end of the thread.
fn failure_of<T>(ruby: &Ruby, result: Result<T, Error>) -> Result<Result<T, Error>, Error> {
    match result {
        Err(error) if !error.is_kind_of(ruby.exception_standard_error()) => Err(error),
        result => Ok(result),
    }
}
