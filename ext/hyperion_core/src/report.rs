//! What the core has to say to an operator. Structured, and per server, so that two servers in one process never
//! share a log line; that is why it is not a process-wide `tracing` subscriber.

use std::fmt;
use std::io;

use crate::access_log::Target;
use crate::peer::Address;
use crate::timing::FirstStream;

/// How much an event matters: what a peer caused is `Debug`, what the host or the application caused is louder.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// For somebody who is looking into one peer's behaviour.
    Debug,
    /// The course of things.
    Info,
    /// The server works around something that an operator should mend.
    Warn,
    /// A request or connection was lost through our fault or the application's.
    Error,
}

/// Something worth a log line.
#[derive(Debug)]
pub enum Event<'a> {
    /// `accept` failed; accepting goes on after a pause.
    AcceptFailed {
        /// The listening address.
        listener: &'a Address,
        /// The system's reason.
        error: &'a io::Error,
    },
    /// A TLS handshake did not complete.
    HandshakeFailed {
        /// Who connected.
        peer: &'a Address,
        /// Why, in words.
        reason: String,
    },
    /// A connection ended in an error.
    ConnectionError {
        /// Who was connected.
        peer: &'a Address,
        /// Why, in words.
        reason: String,
    },
    /// A request was refused before the application saw it.
    RequestRejected {
        /// Who sent it.
        peer: &'a Address,
        /// The HTTP/2 stream, 0 for HTTP/1.1.
        stream_id: u32,
        /// Why, in words.
        reason: &'a str,
    },
    /// A response of the application could not be sent as it was.
    ResponseError {
        /// The HTTP/2 stream, 0 for HTTP/1.1.
        stream_id: u32,
        /// Why, in words.
        reason: String,
    },
    /// A response was lost to a fault of ours.
    Panicked {
        /// What the panic said.
        reason: String,
    },
    /// A body was lost: a file could not be read, or a temporary one not be written.
    BodyFailed {
        /// The HTTP/2 stream, 0 for HTTP/1.1.
        stream_id: u32,
        /// Why, in words.
        reason: String,
    },
    /// The access log could not be written or reopened.
    AccessLogFailed {
        /// Where it goes.
        target: &'a Target,
        /// The system's reason.
        error: &'a io::Error,
    },
    /// Lines of the access log came faster than they could be written.
    AccessLogDropped {
        /// How many are missing.
        lines: u64,
    },
    /// A connection has sent its first response.
    FirstStream {
        /// Who is connected.
        peer: &'a Address,
        /// How long it took.
        stages: FirstStream,
    },
}

/// Takes the core's events. Called on the reactor: it must not block.
pub trait Reporter {
    /// Whether events of this level are wanted; events are not built otherwise.
    fn enabled(&self, level: Level) -> bool;
    /// Takes one event.
    fn report(&self, level: Level, event: &Event<'_>);
}

impl fmt::Display for Event<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Event::AcceptFailed { listener, error } => write!(f, "accept failed on {listener}: {error}"),
            Event::HandshakeFailed { peer, reason } => {
                write!(f, "TLS handshake with {peer} failed: {reason}")
            }
            Event::ConnectionError { peer, reason } => write!(f, "connection error with {peer}: {reason}"),
            Event::RequestRejected { peer, stream_id, reason } => {
                write!(f, "request rejected from {peer}, stream {stream_id}: {reason}")
            }
            Event::ResponseError { stream_id, reason } => {
                write!(f, "response not sent as given, stream {stream_id}: {reason}")
            }
            Event::Panicked { reason } => write!(f, "response lost, panic: {reason}"),
            Event::BodyFailed { stream_id, reason } => write!(f, "body lost, stream {stream_id}: {reason}"),
            Event::AccessLogFailed { target, error } => write!(f, "access log to {target} failed: {error}"),
            Event::AccessLogDropped { lines } => write!(f, "access log: {lines} lines were dropped"),
            Event::FirstStream { peer, stages } => {
                write!(f, "h2 first-stream timing with {peer}:")?;
                stages.millis().into_iter().try_for_each(|(name, millis)| write!(f, " {name}={millis:.3}"))
            }
        }
    }
}
