//! The lines, and how they are written.

use std::fmt;
use std::io::{self, Write};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use http::StatusCode;
use serde::{Serialize, Serializer};
use time::OffsetDateTime;

use super::output::Output;
use super::words::{Words, request_line};
use crate::peer::{Address, Peer};
use crate::request::{Asked, Protocol, Request};
use crate::response::Outcome;

/// What a line looks like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// An object of JSON.
    Json,
    /// The common log format, and behind it the duration and the wait for a thread in seconds, the stream, and how
    /// the response ended.
    Common,
}

/// What is known of a request from its beginning, and its end.
#[derive(Debug)]
pub(crate) struct Line {
    asked: Asked,
    protocol: Protocol,
    stream_id: u32,
    peer: Arc<Peer>,
    received_at: Instant,
    end: Option<End>,
}

/// How a request ended.
#[derive(Clone, Copy, Debug)]
pub(crate) struct End {
    pub(crate) at: Instant,
    pub(crate) status: Option<u16>,
    /// Of the body, that were written.
    pub(crate) bytes: u64,
    pub(crate) queue_wait: Option<Duration>,
    pub(crate) outcome: Outcome,
}

/// Writes lines in one format.
pub(super) struct Writer {
    format: Format,
    text: Vec<u8>,
}

/// Bytes of text that are written at once.
const CHUNK: usize = 64 * 1024;

const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

impl Line {
    pub(crate) fn new(request: &Request) -> Box<Self> {
        Box::new(Line {
            asked: Asked::Head(request.method.clone(), Some(request.target.clone())),
            protocol: request.protocol,
            stream_id: request.stream_id,
            peer: request.peer.clone(),
            received_at: request.received_at,
            end: None,
        })
    }

    /// Of what is no request, or none that is served; `since` then it is there.
    pub(crate) fn refused(
        asked: Asked,
        protocol: Protocol,
        stream_id: u32,
        peer: Arc<Peer>,
        since: Instant,
    ) -> Self {
        Line { asked, protocol, stream_id, peer, received_at: since, end: None }
    }

    pub(crate) fn end(&mut self, end: End) {
        self.end = Some(end);
    }
}

impl End {
    /// With an answer that the application has no part in.
    pub(crate) fn answered(at: Instant, status: StatusCode, bytes: usize, outcome: Outcome) -> Self {
        End { at, status: Some(status.as_u16()), bytes: bytes as u64, queue_wait: None, outcome }
    }

    /// Without an answer.
    pub(crate) fn reset(at: Instant, outcome: Outcome) -> Self {
        End { at, status: None, bytes: 0, queue_wait: None, outcome }
    }
}

impl Writer {
    pub(super) fn new(format: Format) -> Self {
        Writer { format, text: Vec::with_capacity(CHUNK) }
    }

    /// Writes all lines, and forgets them; after an error the rest as well.
    pub(super) fn write(&mut self, lines: &mut Vec<Line>, output: &mut Output) -> io::Result<()> {
        let clock = Clock { instant: Instant::now(), time: SystemTime::now() };
        let mut written = Ok(());
        for line in lines.drain(..) {
            let Some(end) = line.end else { continue };
            written = written.and(match self.format {
                Format::Json => self.json(&line, end, clock),
                Format::Common => self.common(&line, end, clock),
            });
            if self.text.len() >= CHUNK {
                written = written.and(self.flush(output));
            }
        }
        written.and(self.flush(output))
    }

    fn flush(&mut self, output: &mut Output) -> io::Result<()> {
        let written = output.write(&self.text);
        self.text.clear();
        written
    }

    fn json(&mut self, line: &Line, end: End, clock: Clock) -> io::Result<()> {
        let seconds = |duration: Duration| duration.as_micros() as f64 / 1e6;
        let Words { method, path, query } = Words::of(&line.asked);
        let json = Json {
            time: Text(IsoTime(clock.time_of(end.at))),
            peer: Text(&line.peer.remote),
            method,
            path: path.as_deref(),
            query: query.as_deref(),
            protocol: line.protocol.name(),
            status: end.status,
            bytes: end.bytes,
            duration: seconds(end.at.saturating_duration_since(line.received_at)),
            queue_wait: end.queue_wait.map(seconds),
            stream_id: line.stream_id,
            outcome: end.outcome.name(),
        };
        serde_json::to_writer(&mut self.text, &json)?;
        self.text.push(b'\n');
        Ok(())
    }

    fn common(&mut self, line: &Line, end: End, clock: Clock) -> io::Result<()> {
        let text = &mut self.text;
        match &line.peer.remote {
            Address::Tcp(address) => write!(text, "{}", address.ip())?,
            unix @ Address::Unix(_) => write!(text, "{unix}")?,
        }
        write!(text, " - - [{}] \"", CommonTime(clock.time_of(end.at)))?;
        request_line(&line.asked, line.protocol, text)?;
        text.extend_from_slice(b"\" ");
        match end.status {
            Some(status) => write!(text, "{status}")?,
            None => text.push(b'-'),
        }
        let duration = end.at.saturating_duration_since(line.received_at);
        write!(text, " {} {:.6} ", end.bytes, duration.as_secs_f64())?;
        match end.queue_wait {
            Some(wait) => write!(text, "{:.6}", wait.as_secs_f64())?,
            None => text.push(b'-'),
        }
        writeln!(text, " {} {}", line.stream_id, end.outcome.name())
    }
}

#[derive(Serialize)]
struct Json<'a> {
    time: Text<IsoTime>,
    peer: Text<&'a Address>,
    method: Option<&'a str>,
    path: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    query: Option<&'a str>,
    protocol: &'a str,
    status: Option<u16>,
    bytes: u64,
    duration: f64,
    queue_wait: Option<f64>,
    stream_id: u32,
    outcome: &'a str,
}

/// What is written as it is shown.
struct Text<T>(T);

impl<T: fmt::Display> Serialize for Text<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

/// What the clocks of the system show at one moment.
#[derive(Clone, Copy)]
struct Clock {
    instant: Instant,
    time: SystemTime,
}

impl Clock {
    /// The time of an instant that is over.
    fn time_of(self, instant: Instant) -> OffsetDateTime {
        let age = self.instant.saturating_duration_since(instant);
        self.time.checked_sub(age).unwrap_or(self.time).into()
    }
}

/// As in `2026-01-31T23:59:59.123Z`.
struct IsoTime(OffsetDateTime);

impl fmt::Display for IsoTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (date, time) = (self.0.date(), self.0.time());
        write!(f, "{:04}-{:02}-{:02}T", date.year(), u8::from(date.month()), date.day())?;
        write!(f, "{:02}:{:02}:{:02}.{:03}Z", time.hour(), time.minute(), time.second(), time.millisecond())
    }
}

/// As in `31/Jan/2026:23:59:59 +0000`.
struct CommonTime(OffsetDateTime);

impl fmt::Display for CommonTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (date, time) = (self.0.date(), self.0.time());
        let month = MONTHS[usize::from(u8::from(date.month())) - 1];
        write!(f, "{:02}/{month}/{:04}", date.day(), date.year())?;
        write!(f, ":{:02}:{:02}:{:02} +0000", time.hour(), time.minute(), time.second())
    }
}

#[cfg(test)]
pub(super) mod tests;
