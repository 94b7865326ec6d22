//! HTTP/1.1 and HTTP/1.0 (RFC 9112) through hyper: the task of one connection. What hyper tolerates and we do not is
//! stopped before it, by [`head`] and [`chunked`].

mod chunked;
mod clock;
mod exchange;
mod head;
mod inlet;
mod line;
mod link;
mod outlet;
mod redirect;
mod refusal;
mod takeover;
mod tunnel;

use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use bytes::BytesMut;
use http::StatusCode;
use hyper::server::conn::http1::{Builder, Connection};
use hyper::service::{HttpService, service_fn};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio::time::Instant;

use super::linger::{Linger, linger, say};
use crate::access_log;
use crate::body::ConnectionMemory;
use crate::config::Config;
use crate::peer::Peer;
use crate::request::{Asked, Protocol};
use crate::response::Outcome;
use crate::service::Context as Server;
use crate::shutdown::{Permit, Phase};
use crate::writer::Blocked;
use clock::{Clock, Verdict};
use exchange::{Cut, serve as serve_request};
use inlet::Awaited;
pub(crate) use line::H1Reply;
use line::Line;
use link::{Link, ParserEnd};
use outlet::OutgoingBody;
pub(crate) use redirect::{redirect, refuse_clear};
use refusal::Refusal;
use takeover::TakeOver;
pub use takeover::{Hold, Stream, Taken, Taking};

/// What the requests of a connection share.
#[derive(Debug)]
struct Shared {
    server: Arc<Server>,
    peer: Arc<Peer>,
    memory: Arc<ConnectionMemory>,
    line: Arc<Line>,
    blocked: Arc<Blocked>,
    permit: Permit,
    takeover: Mutex<Option<TakeOver>>,
}

/// How a connection ends.
enum End {
    /// As HTTP has it: the client closed it, or was told that it will be.
    Finished,
    /// Nobody has a request under way.
    Idle,
    /// The request is answered without the application.
    Refused(Refusal),
    /// The response to the present request stays incomplete.
    Cut,
    /// Nothing more can, or may, be written.
    Dropped,
    /// It goes to somebody else.
    Taken(TakeOver, BytesMut),
}

const SLOW_HEAD: Refusal =
    Refusal::new(StatusCode::REQUEST_TIMEOUT, "the head was not complete within header_timeout");

/// Bytes that hyper may hold of a head beyond what the gate lets pass, and of a response.
const PARSER_BUFFER: usize = 64 * 1024;

/// Serves one connection until it is over, whatever ends it. `first` was read of it before. The future of an async
/// function would have room for the stream twice.
pub(super) fn serve<T>(
    io: T,
    first: BytesMut,
    blocked: Arc<Blocked>,
    peer: Arc<Peer>,
    server: Arc<Server>,
    permit: Permit,
) -> impl Future<Output = ()>
where
    T: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let max_fields_size = server.config.http2.max_header_list_size as usize;
    let mut link = Mutex::new(Link::new(io, first, max_fields_size, blocked.clone()));
    async move {
        let shared = Arc::new(Shared {
            memory: ConnectionMemory::new(server.config.buffers.max_pending),
            line: Arc::default(),
            blocked,
            permit: permit.clone(),
            takeover: Mutex::default(),
            server,
            peer,
        });
        let end = converse(&link, &shared, permit.clone()).await;
        shared.line.close();
        match end {
            End::Taken(takeover, read) => {
                if flush(&mut link, &shared).await {
                    hand_over(link, takeover, read, permit);
                }
            }
            end => finish(get_mut(&mut link), end, &shared).await,
        }
    }
}

async fn converse<T>(link: &Mutex<Link<T>>, shared: &Arc<Shared>, permit: Permit) -> End
where
    T: AsyncRead + AsyncWrite + Unpin,
{
    let service = service_fn(|request| serve_request(request, shared.clone()));
    let parser = ParserEnd::new(link, &shared.line);
    let connection = builder(&shared.server.config).serve_connection(parser, service);
    drive(connection, link, shared, permit).await
}

fn builder(config: &Config) -> Builder {
    let head = head::MAX_REQUEST_LINE + config.http2.max_header_list_size as usize;
    let mut builder = Builder::new();
    builder
        // `date` is ours, as over HTTP/2.
        .auto_date_header(false)
        // A client that has ended its half still gets its response.
        .half_close(true)
        .max_buf_size(head.saturating_add(PARSER_BUFFER));
    builder
}

/// Runs the parser, and watches the client.
async fn drive<T, S>(
    mut connection: Connection<ParserEnd<'_, T>, S>,
    link: &Mutex<Link<T>>,
    shared: &Shared,
    mut permit: Permit,
) -> End
where
    T: AsyncRead + AsyncWrite + Unpin,
    S: HttpService<hyper::body::Incoming, ResBody = OutgoingBody, Error = Cut>,
{
    let mut closing = permit.clone();
    let mut drain = pin!(permit.reached(Phase::Draining));
    let mut close = pin!(closing.reached(Phase::Closing));
    let mut draining = false;
    let mut clock = Clock::new(&shared.server.config.timeouts, shared.blocked.clone());
    let end = std::future::poll_fn(|cx| {
        draining = draining || drain.as_mut().poll(cx).is_ready();
        if draining && close.as_mut().poll(cx).is_ready() {
            return Poll::Ready(End::Dropped);
        }
        match Pin::new(&mut connection).poll(cx) {
            Poll::Ready(Ok(())) => Poll::Ready(End::Finished),
            // hyper has answered 400: the target is none.
            Poll::Ready(Err(error)) if error.is_parse() => {
                shared.reject(&error.to_string());
                let end = answered(StatusCode::BAD_REQUEST, 0, Outcome::Sent);
                shared.turn_away(Asked::Nothing, end.at, end);
                Poll::Ready(End::Finished)
            }
            Poll::Ready(Err(error)) => {
                shared.server.connection_failed(&shared.peer, &error);
                Poll::Ready(if error.is_user() { End::Cut } else { End::Dropped })
            }
            Poll::Pending => watch(&mut lock(link), &mut clock, shared, draining, cx),
        }
    })
    .await;
    match shared.lock_takeover().take() {
        Some(takeover) => End::Taken(takeover, connection.into_parts().read_buf.into()),
        None => end,
    }
}

/// Looks at the connection when the parser has nothing to do.
fn watch<T: AsyncRead + AsyncWrite + Unpin>(
    link: &mut Link<T>,
    clock: &mut Clock,
    shared: &Shared,
    draining: bool,
    cx: &mut Context<'_>,
) -> Poll<End> {
    if let Some(refusal) = link.inlet.refusal() {
        let is_in_body = !link.inlet.is_in_head();
        if is_in_body && shared.line.is_answering() {
            return Poll::Ready(End::Dropped);
        }
        if is_in_body {
            shared.line.refuse(refusal);
        }
        return Poll::Ready(End::Refused(refusal));
    }
    if link.poll_gone(cx).is_ready() {
        return Poll::Ready(End::Dropped);
    }
    if draining && link.inlet.is_idle() {
        return Poll::Ready(End::Idle);
    }
    match clock.poll(cx, link.inlet.awaited()) {
        Verdict::Wait => Poll::Pending,
        Verdict::Idle => Poll::Ready(End::Idle),
        Verdict::SlowHead => Poll::Ready(End::Refused(SLOW_HEAD)),
        Verdict::Stalled => {
            shared.line.time_out();
            Poll::Ready(End::Dropped)
        }
    }
}

async fn finish<T: AsyncRead + AsyncWrite + Unpin>(link: &mut Link<T>, end: End, shared: &Shared) {
    match end {
        // The client is not waiting for anything any more, or is gone.
        End::Finished if link.inlet.is_at_eof() => {
            let _ = tokio::time::timeout(shared.server.config.timeouts.write, link.wire.shutdown()).await;
        }
        // A client that is still sending may not have seen the response yet.
        End::Finished if shared.line.is_uploading() => linger(&mut link.wire, Linger::Upload).await,
        End::Finished | End::Idle => linger(&mut link.wire, Linger::Brief).await,
        // Boxed, as it is rare.
        End::Refused(refusal) => Box::pin(refuse(link, refusal, shared)).await,
        // What was written of the response before is on its way.
        End::Cut => {
            let _ = tokio::time::timeout(shared.server.config.timeouts.write, link.wire.flush()).await;
        }
        End::Dropped | End::Taken(..) => {}
    }
}

async fn refuse<T: AsyncRead + AsyncWrite + Unpin>(link: &mut Link<T>, refusal: Refusal, shared: &Shared) {
    shared.reject(refusal.reason);
    let (asked, since) = (link.inlet.asked(), link.inlet.head_since().into_std());
    let bytes = refusal.to_bytes(shared.server.config.server_header.as_ref());
    let outcome = say(&mut link.wire, &bytes).await;
    // The body of a request is a part of it, which has its line.
    if link.inlet.is_in_head() {
        shared.turn_away(asked, since, answered(refusal.status, refusal.text().len(), outcome));
    }
    linger(&mut link.wire, Linger::Brief).await;
}

/// An answer, as of now.
fn answered(status: StatusCode, bytes: usize, outcome: Outcome) -> access_log::End {
    let bytes = if outcome == Outcome::Sent { bytes } else { 0 };
    access_log::End::answered(Instant::now().into_std(), status, bytes, outcome)
}

/// Writes what was sent before a takeover; false when that is not to be done.
async fn flush<T: AsyncRead + AsyncWrite + Unpin>(link: &mut Mutex<Link<T>>, shared: &Shared) -> bool {
    let wire = &mut get_mut(link).wire;
    shared.line.take_interim(|bytes| wire.enqueue(bytes));
    let flushed = tokio::time::timeout(shared.server.config.timeouts.write, wire.flush()).await;
    matches!(flushed, Ok(Ok(())))
}

/// `read` is what the parser has read, and `link` what it has not.
fn hand_over<T>(link: Mutex<Link<T>>, takeover: TakeOver, mut read: BytesMut, permit: Permit)
where
    T: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let Link { wire, inlet } = link.into_inner().unwrap_or_else(PoisonError::into_inner);
    read.unsplit(inlet.into_rest());
    takeover.hand_over(wire.into_io(), read.freeze(), permit);
}

fn get_mut<T>(link: &mut Mutex<Link<T>>) -> &mut Link<T> {
    link.get_mut().unwrap_or_else(PoisonError::into_inner)
}

impl Shared {
    /// A request is malformed.
    fn reject(&self, reason: &str) {
        self.server.count_rejected();
        self.server.reject(&self.peer, 0, reason);
    }

    /// A request is answered that no exchange was made for.
    fn turn_away(&self, asked: Asked, since: std::time::Instant, end: access_log::End) {
        self.server.turn_away(end, || {
            access_log::Line::refused(asked, Protocol::Http11, 0, self.peer.clone(), since)
        });
    }

    fn is_draining(&self) -> bool {
        self.permit.has_reached(Phase::Draining)
    }

    fn set_takeover(&self, takeover: TakeOver) {
        *self.lock_takeover() = Some(takeover);
    }

    fn lock_takeover(&self) -> MutexGuard<'_, Option<TakeOver>> {
        self.takeover.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn lock<T>(link: &Mutex<Link<T>>) -> MutexGuard<'_, Link<T>> {
    link.lock().unwrap_or_else(PoisonError::into_inner)
}
