//! HTTP/2 (RFC 9113) through the `h2` crate: the task of one connection.

mod block;
mod clock;
mod cork;
mod ended;
mod fields;
mod gate;
mod huffman;
mod outflow;
mod outlet;
mod refusals;
mod reply;
mod send_buf;
mod table;
mod tap;
mod traffic;
mod uploads;

use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Instant;

use h2::server::{Builder, Connection, SendResponse};
use h2::{Reason, RecvStream};
use http::{Method, Request as HttpRequest, StatusCode};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::Semaphore;

use crate::access_log::End;
use crate::body::{Budgets, ConnectionMemory, RequestBody};
use crate::config::{Config, Http2, MAX_WINDOW_SIZE};
use crate::handler::Exchange;
use crate::peer::Peer;
use crate::request::{Asked, Malformed, Rejected, Request};
use crate::response::{Outcome, Record, Reply, Responder};
use crate::service::Context as Server;
use crate::shutdown::{PARTING, Permit, Phase};
use crate::timing::Progress;
use crate::writer::{Blocked, Wire};
use clock::{Clock, Verdict};
use cork::Cork;
use gate::FrameGate;
use refusals::Refusals;
pub(crate) use reply::{Connect, Control, H2Reply};
use send_buf::SendBuf;
use tap::Tap;
use traffic::{Part, Traffic};

/// What all streams of a connection share.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) server: Arc<Server>,
    pub(crate) peer: Arc<Peer>,
    pub(crate) memory: Arc<ConnectionMemory>,
    pub(crate) traffic: Arc<Traffic>,
    /// Has no permits: to wait for one is to wait for the graceful stop, which closes it.
    draining: Semaphore,
}

/// Resets that a peer may provoke from the `h2` crate over the life of a connection, before GOAWAY (CVE-2025-8671).
/// What a proxy may pass on from its users is found before that, and counts as [`REJECTION_RATE`] says.
const MAX_PROVOKED_RESETS: usize = 1024;
/// Streams that a peer may reset before we have accepted them, before GOAWAY (CVE-2023-44487): of a proxy whose users
/// all leave while we are busy, several times as many as may be open by default.
const MAX_PENDING_RESETS: usize = 512;
/// Streams of which we remember for a second that we reset them, so that frames in flight are ignored; others count as
/// provoked.
const MAX_REMEMBERED_RESETS: usize = 256;
/// Requests that we reset for being malformed: a burst, and how many a second, before GOAWAY. They cost less than the
/// same number of good ones, and one user of a proxy must not end what the others are doing.
const REJECTION_RATE: (u32, u32) = (1000, 100);
/// Bytes that the HPACK decoder's dynamic table may take: SETTINGS_HEADER_TABLE_SIZE, at its default.
const HEADER_TABLE_SIZE: u32 = 4096;
/// Overhead of undersized DATA frames that may be buffered, before GOAWAY: in units of bytes short of 256 a frame. A body
/// that waits for the disk, or for the reader of a WebSocket, has a window full of what its client has sent piece by piece.
const DATA_FRAME_BUDGET: usize = 16 * 1024 * 1024;

/// Bytes that `h2` may buffer of a response at least: with none, it never grants any capacity.
const MIN_SEND_BUFFER: usize = 64 * 1024;

const MIN_CONNECTION_WINDOW: u32 = 65_535;

/// Serves one connection until it is over, whatever ends it. The future of an async function would have room for the
/// stream twice, and idle connections are many.
pub(crate) fn serve<T>(
    io: T,
    blocked: Arc<Blocked>,
    peer: Arc<Peer>,
    server: Arc<Server>,
    permit: Permit,
    accepted: Instant,
) -> impl Future<Output = ()>
where
    T: AsyncRead + AsyncWrite + Unpin,
{
    let traffic = Arc::new(Traffic::default());
    let http2 = server.config.http2.clamped();
    let timing = if server.config.h2_timing { Progress::Accepted(accepted) } else { Progress::Done };
    let tap = Tap::new(server.clone(), peer.clone(), traffic.clone(), timing);
    let gate =
        FrameGate::new(traffic.clone(), http2.max_frame_size, http2.max_header_list_size).with_tap(tap);
    let mut wire = Mutex::new(Wire::new(io, gate, blocked.clone()));
    async move {
        converse(Cork::new(&wire), blocked, traffic, peer, server, permit.clone()).await;
        let wire = wire.get_mut().unwrap_or_else(PoisonError::into_inner);
        super::linger::linger(wire, super::linger::Linger::Brief).await;
        // Until now the stop has waited: with the process, the socket would go, and what the client has not read yet.
        drop(permit);
    }
}

async fn converse<T>(
    wire: Cork<'_, T>,
    blocked: Arc<Blocked>,
    traffic: Arc<Traffic>,
    peer: Arc<Peer>,
    server: Arc<Server>,
    mut permit: Permit,
) where
    T: AsyncRead + AsyncWrite + Unpin,
{
    let Some(connection) = shake_hands(&wire, &peer, &server, &mut permit).await else { return };
    let memory = ConnectionMemory::new(server.config.buffers.max_pending);
    let clock = Clock::new(&server.config.timeouts, blocked, traffic.clone());
    let shared = Arc::new(Shared { server, peer, memory, traffic, draining: Semaphore::new(0) });
    let mut driver = Driver { connection, wire, clock, shared, refusals: Refusals::default() };
    driver.run(permit).await;
}

/// Exchanges the prefaces (RFC 9113, section 3.4).
async fn shake_hands<'a, T>(
    wire: &Cork<'a, T>,
    peer: &Peer,
    server: &Server,
    permit: &mut Permit,
) -> Option<Connection<Cork<'a, T>, SendBuf>>
where
    T: AsyncRead + AsyncWrite + Unpin,
{
    let handshake = wire.pulled(builder(&server.config).handshake::<_, SendBuf>(wire.clone()));
    tokio::select! {
        handshake = tokio::time::timeout(server.config.timeouts.header, handshake) => match handshake {
            Ok(Ok(Ok(connection))) => Some(connection),
            Ok(Ok(Err(error))) => { server.connection_failed(peer, &error); None }
            Ok(Err(error)) => { server.connection_failed(peer, &error); None }
            Err(_) => None,
        },
        () = permit.greeted() => None,
    }
}

fn builder(config: &Config) -> Builder {
    let Config { http2, buffers, .. } = config;
    let http2 = http2.clamped();
    let mut builder = Builder::new();
    builder
        .max_concurrent_streams(http2.max_concurrent_streams)
        .initial_window_size(http2.initial_window_size)
        .initial_connection_window_size(connection_window(&http2))
        .max_frame_size(http2.max_frame_size)
        .max_header_list_size(http2.max_header_list_size)
        .header_table_size(HEADER_TABLE_SIZE)
        .max_send_buffer_size(buffers.response.max(MIN_SEND_BUFFER))
        .max_concurrent_reset_streams(MAX_REMEMBERED_RESETS)
        .max_pending_accept_reset_streams(MAX_PENDING_RESETS)
        .max_local_error_reset_streams(Some(MAX_PROVOKED_RESETS))
        .data_frame_budget(DATA_FRAME_BUDGET);
    if http2.connect_protocol {
        builder.enable_connect_protocol();
    }
    builder
}

/// The windows of all streams together: a body that the application does not read can never use up what the others
/// need. Not less than the initial one, which nobody can shrink (RFC 9113, section 6.9.2).
fn connection_window(http2: &Http2) -> u32 {
    let all = http2.initial_window_size.saturating_mul(http2.max_concurrent_streams);
    all.clamp(MIN_CONNECTION_WINDOW, MAX_WINDOW_SIZE)
}

/// Runs one connection: takes its requests, and watches its peer.
struct Driver<'a, T> {
    connection: Connection<Cork<'a, T>, SendBuf>,
    wire: Cork<'a, T>,
    clock: Clock,
    shared: Arc<Shared>,
    refusals: Refusals,
}

impl<T> Drop for Driver<'_, T> {
    /// Also when the task of the connection is aborted.
    fn drop(&mut self) {
        self.refusals.settle(&self.shared);
        self.shared.traffic.closed();
    }
}

impl<T: AsyncRead + AsyncWrite + Unpin> Driver<'_, T> {
    async fn run(&mut self, mut permit: Permit) {
        self.clock.watch_pings(self.connection.ping_pong());
        tokio::select! {
            biased;
            () = permit.reached(Phase::Draining) => {}
            () = self.over() => return,
        }
        self.shared.draining.close();
        self.connection.graceful_shutdown();
        self.clock.drain();
        tokio::select! {
            biased;
            () = permit.reached(Phase::Closing) => {}
            () = self.over() => {}
        }
    }

    /// Resolves when the connection is over.
    fn over(&mut self) -> impl Future<Output = ()> {
        std::future::poll_fn(|cx| self.poll(cx))
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        loop {
            match self.connection.poll_accept(cx) {
                Poll::Ready(Some(Ok((request, reply)))) => self.accept(request, reply),
                Poll::Ready(Some(Err(error))) => return self.fail(&error),
                Poll::Ready(None) => return Poll::Ready(()),
                Poll::Pending => {
                    // Before the peer hears of it.
                    self.refusals.settle(&self.shared);
                    // Before the clock, which has to know whether the peer takes it.
                    if let Poll::Ready(Err(error)) = self.wire.poll_pull(cx) {
                        return self.fail(&error);
                    }
                    match self.clock.poll(cx, self.connection.has_streams()) {
                        Verdict::Wait => return Poll::Pending,
                        Verdict::GoAway(reason) => self.connection.abrupt_shutdown(reason),
                        Verdict::Drain => self.connection.graceful_shutdown(),
                        Verdict::Drop => return Poll::Ready(()),
                    }
                }
            }
        }
    }

    fn fail(&self, error: &dyn std::fmt::Display) -> Poll<()> {
        self.shared.server.connection_failed(&self.shared.peer, error);
        Poll::Ready(())
    }

    fn accept(&mut self, request: HttpRequest<RecvStream>, mut reply: SendResponse<SendBuf>) {
        let shared = &self.shared;
        let stream_id = reply.stream_id().as_u32();
        self.refusals.pass(stream_id, shared);
        let (parts, body) = request.into_parts();
        let request = match shared.traffic.head_flaw(stream_id) {
            None => Request::from_h2(parts, stream_id, shared.peer.clone()),
            Some(flaw) => Err(rejected(flaw, parts)),
        };
        let request = match request {
            Ok(request) => Arc::new(request),
            Err(rejected) => return self.refusals.reject(&mut reply, rejected, shared),
        };
        let Some(slot) = shared.server.gate.admission().admit() else {
            shared.reject(stream_id, "max_in_flight is reached");
            reply.send_reset(Reason::REFUSED_STREAM);
            let asked = Asked::Head(request.method.clone(), Some(request.target.clone()));
            return shared.turn_away(stream_id, asked, End::reset(request.received_at, Outcome::Refused));
        };
        let record = Record::new(shared.server.clone(), slot, &request);
        let reply = H2Reply::new(reply, &request, shared.clone());
        let responder = Responder::new(Reply::H2(reply), record, shared.budgets());
        self.dispatch(request, body, responder);
    }

    fn dispatch(&self, request: Arc<Request>, body: RecvStream, responder: Responder) {
        let extended_connect = request.connect_protocol.is_some();
        if request.method == Method::CONNECT && !extended_connect {
            return responder.respond_plain(StatusCode::NOT_IMPLEMENTED);
        }
        if body.is_end_stream() {
            let exchange = Exchange { request, body: RequestBody::Empty, responder };
            return self.shared.server.handler.handle(exchange);
        }
        let max = self.shared.server.config.limits.max_body_size;
        if request.content_length.is_some_and(|length| length > max) {
            tokio::spawn(uploads::refuse(body, responder, StatusCode::PAYLOAD_TOO_LARGE));
            return;
        }
        let shared = self.shared.clone();
        let buffered = shared.server.config.buffers.request_buffering;
        if buffered && !request.is_grpc() && !extended_connect {
            tokio::spawn(uploads::collect(request, body, responder, shared));
        } else {
            uploads::pass_on(request, body, responder, shared);
        }
    }
}

/// A head in which the gate has found something.
fn rejected(flaw: Part, parts: http::request::Parts) -> Rejected {
    let http::request::Parts { method, uri, .. } = parts;
    let path = uri.into_parts().path_and_query;
    match flaw {
        Part::Target => Rejected { why: Malformed::Target, asked: Asked::Head(method, None) },
        Part::Fields => Rejected { why: Malformed::Field, asked: Asked::Head(method, path) },
        Part::Pseudo | Part::Trailers => Rejected { why: Malformed::Field, asked: Asked::Nothing },
    }
}

impl Shared {
    pub(crate) fn budgets(&self) -> Budgets {
        self.server.budgets(&self.memory)
    }

    /// Resolves when the stop has begun, and conversations without an end have had their time to part.
    pub(crate) async fn parted(&self) {
        let _ = self.draining.acquire().await;
        tokio::time::sleep(PARTING).await;
    }

    /// Reports that a request goes no further. To be called before its stream is reset.
    pub(crate) fn reject(&self, stream_id: u32, reason: &str) {
        self.traffic.reported(stream_id);
        self.server.reject(&self.peer, stream_id, reason);
    }
}
