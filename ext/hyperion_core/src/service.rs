//! Serves connections that somebody else has accepted, in that one's runtime: what [`crate::Server`] is made of, and
//! what embeds the core elsewhere.

use std::io;
use std::sync::Arc;
use std::time::Instant;

use rustls::server::ServerConnection;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::task::AbortHandle;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use crate::access_log::{End, Line};
use crate::admission::{Admission, Gate};
use crate::body::{Budgets, ConnectionMemory, SpillBudget};
use crate::config::Config;
use crate::connection::{self, Guess, Rewind};
use crate::handler::Handler;
use crate::metrics::Metric;
use crate::observe::Observer;
use crate::peer::{Address, Peer, TlsSession};
use crate::reactor::Reactor;
use crate::report::{Event, Level};
use crate::shutdown::{Drain, Permit};
use crate::tls::Tls;
use crate::writer::Watched;

/// Serves any number of connections under one configuration, one set of limits and one graceful stop.
#[derive(Clone, Debug)]
pub struct Service(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    context: Arc<Context>,
    drain: Drain,
    completions: AbortHandle,
}

/// What all connections of a service share.
pub(crate) struct Context {
    pub(crate) config: Config,
    pub(crate) handler: Arc<dyn Handler>,
    pub(crate) observer: Observer,
    pub(crate) gate: Gate,
    pub(crate) spill: Arc<SpillBudget>,
    pub(crate) reactor: Arc<Reactor>,
}

impl Service {
    /// A service that serves nobody yet. To be called inside a tokio runtime with time enabled, which delivers the
    /// responses.
    pub fn new(config: Config, handler: Arc<dyn Handler>, observer: Observer) -> Self {
        let gate = Gate::Core(Admission::new(config.limits.max_in_flight));
        Self::with_gate(config, handler, observer, gate)
    }

    /// As [`Service::new`], behind a gate that other services may share; `max_in_flight` is not asked.
    pub fn with_gate(config: Config, handler: Arc<dyn Handler>, observer: Observer, gate: Gate) -> Self {
        let context = Arc::new(Context {
            gate,
            spill: SpillBudget::new(config.buffers.spill_dir.clone(), config.buffers.spill_limit),
            reactor: Arc::default(),
            config,
            handler,
            observer,
        });
        let (reactor, handler) = (context.reactor.clone(), context.handler.clone());
        let completions = tokio::spawn(async move { reactor.run(&*handler).await }).abort_handle();
        Service(Arc::new(Inner { context, drain: Drain::new(), completions }))
    }

    /// Serves a connection without TLS, or behind somebody else's, until it is over: HTTP/2 for a client that begins with
    /// its preface, else HTTP/1.1. The graceful stop counts the connection from this call on, not from the first poll.
    /// The future keeps the service alive.
    pub fn serve<T>(&self, io: T, peer: Peer) -> impl Future<Output = ()> + use<T>
    where
        T: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let (context, permit, accepted) = (self.context().clone(), self.permit(), Instant::now());
        let (peer, io) = (Arc::new(peer), Watched::new(io));
        let blocked = io.blocked();
        self.clone().hold(Box::pin(connection::serve(io, None, blocked, peer, context, permit, accepted)))
    }

    /// Takes a TLS handshake within its timeout, then serves the connection until it is over: what ALPN has settled
    /// (RFC 7301), or without it what the client speaks.
    pub fn serve_tls<T>(
        &self,
        io: T,
        tls: &Tls,
        remote: Address,
        local: Address,
    ) -> impl Future<Output = ()> + use<T>
    where
        T: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let (context, mut permit, accepted) = (self.context().clone(), self.permit(), Instant::now());
        let acceptor = TlsAcceptor::from(tls.0.clone());
        // Each in a box of its own, the handshake's for as long as that lasts: idle connections are many.
        let handshake = Box::pin(async move {
            let io = Watched::new(io);
            let blocked = io.blocked();
            let greet = greet(Rewind::new(io), acceptor);
            let greeting = tokio::select! {
                greeting = tokio::time::timeout(context.config.timeouts.tls_handshake, greet) => greeting,
                () = permit.greeted() => return None,
            };
            match greeting {
                Ok(Ok(Greeting::Tls(stream))) => {
                    let session = stream.get_ref().1;
                    let settled = settled(session);
                    let peer = Arc::new(Peer { remote, local, tls: Some(describe(session)) });
                    // What waited in the handshake is no response.
                    blocked.clear();
                    return Some(connection::serve(
                        *stream, settled, blocked, peer, context, permit, accepted,
                    ));
                }
                Ok(Ok(Greeting::Clear(io))) => {
                    context.handshake_failed(&remote, "the client speaks HTTP in the clear".into());
                    // Boxed, as it is rare.
                    match &local {
                        Address::Tcp(address) if context.config.redirect_http => {
                            let port = address.port();
                            let peer = Peer { remote, local, tls: None };
                            Box::pin(connection::redirect(io, port, peer, &context)).await;
                        }
                        _ => {
                            let peer = Peer { remote, local, tls: None };
                            Box::pin(connection::refuse_clear(io, peer, &context)).await;
                        }
                    }
                }
                Ok(Err(error)) => context.handshake_failed(&remote, error.to_string()),
                Err(_) => context.handshake_failed(&remote, "tls_handshake_timeout is over".into()),
            }
            None
        });
        self.clone().hold(Box::pin(async move {
            if let Some(connection) = handshake.await {
                connection.await;
            }
        }))
    }

    /// Answers one request in the clear by its https URL, at `port`.
    pub(crate) fn redirect<T>(&self, io: T, port: u16, peer: Peer) -> impl Future<Output = ()> + use<T>
    where
        T: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let (context, permit) = (self.context().clone(), self.permit());
        self.clone().hold(Box::pin(async move {
            connection::redirect(Rewind::new(io), port, peer, &context).await;
            drop(permit);
        }))
    }

    /// Stops gracefully: connections take no new requests, those in flight are finished within `shutdown_timeout`,
    /// and what is left is dropped. Resolves when all are gone.
    pub async fn stop(&self) {
        self.0.drain.stop(self.context().config.timeouts.shutdown).await;
    }

    /// The cap on requests in flight, and its counters.
    pub fn admission(&self) -> &Admission {
        self.context().gate.admission()
    }

    /// Who hears of its requests.
    pub fn observer(&self) -> &Observer {
        &self.context().observer
    }

    /// Bytes in temporary files.
    pub fn spilled(&self) -> u64 {
        self.context().spill.used()
    }

    /// Without the service, nothing delivers the responses and the stop counts as begun. The answer has room for
    /// `connection` twice, which should be small.
    fn hold<F: Future<Output = ()>>(self, connection: F) -> impl Future<Output = ()> + use<F> {
        let open = Open::new(self.context().clone());
        async move {
            connection.await;
            drop((open, self));
        }
    }

    pub(crate) fn context(&self) -> &Arc<Context> {
        &self.0.context
    }

    /// For a task that the stop has to wait for.
    pub(crate) fn permit(&self) -> Permit {
        self.0.drain.permit()
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.completions.abort();
        self.context.reactor.close();
    }
}

/// A connection, counted for as long as it is open.
struct Open(Arc<Context>);

impl Open {
    fn new(context: Arc<Context>) -> Self {
        context.observer.metrics.add(Metric::ConnectionsAccepted, 1);
        context.observer.metrics.add(Metric::ConnectionsActive, 1);
        context.handler.counted();
        Open(context)
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.0.observer.metrics.add(Metric::ConnectionsActive, -1);
        self.0.handler.counted();
    }
}

impl Context {
    /// What a response may hold, on a connection with this memory.
    pub(crate) fn budgets(&self, memory: &Arc<ConnectionMemory>) -> Budgets {
        let buffers = &self.config.buffers;
        Budgets {
            memory: buffers.response,
            spill: buffers.response_spill,
            connection: memory.clone(),
            process: self.spill.clone(),
        }
    }

    pub(crate) fn report(&self, level: Level, event: &Event<'_>) {
        if self.handler.enabled(level) {
            self.handler.report(level, event);
        }
    }

    /// A request goes no further; `stream_id` is 0 for HTTP/1.1.
    pub(crate) fn reject(&self, peer: &Peer, stream_id: u32, reason: &str) {
        self.report(Level::Debug, &Event::RequestRejected { peer: &peer.remote, stream_id, reason });
    }

    /// Counts a malformed request.
    pub(crate) fn count_rejected(&self) {
        self.observer.metrics.add(Metric::RequestsRejected, 1);
        self.handler.counted();
    }

    /// Counts a request that is beyond a cap.
    pub(crate) fn count_refused(&self) {
        self.observer.metrics.add(Metric::H2StreamsRefused, 1);
        self.handler.counted();
    }

    /// Counts the answer to a request that no exchange is made for, and writes its line.
    pub(crate) fn turn_away(&self, end: End, line: impl FnOnce() -> Line) {
        self.observer.turn_away(end, line);
        self.handler.counted();
    }

    /// A connection ended in an error. A peer that hangs up is the course of things, and what it does wrong is its own
    /// affair.
    pub(crate) fn connection_failed(&self, peer: &Peer, error: &dyn std::fmt::Display) {
        if self.handler.enabled(Level::Debug) {
            let event = Event::ConnectionError { peer: &peer.remote, reason: error.to_string() };
            self.handler.report(Level::Debug, &event);
        }
    }

    fn handshake_failed(&self, peer: &Address, reason: String) {
        if self.handler.enabled(Level::Debug) {
            self.handler.report(Level::Debug, &Event::HandshakeFailed { peer, reason });
        }
    }
}

impl std::fmt::Debug for Context {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Context").field("gate", &self.gate).finish_non_exhaustive()
    }
}

/// How a client begins where TLS is spoken.
enum Greeting<T> {
    Tls(Box<TlsStream<Rewind<T>>>),
    /// Without TLS.
    Clear(Rewind<T>),
}

/// Takes the handshake.
async fn greet<T>(mut io: Rewind<T>, acceptor: TlsAcceptor) -> io::Result<Greeting<T>>
where
    T: AsyncRead + AsyncWrite + Unpin,
{
    if io.begins_in_clear().await? {
        return Ok(Greeting::Clear(io));
    }
    Ok(Greeting::Tls(Box::new(acceptor.accept(io).await?)))
}

/// The protocol that ALPN has settled.
fn settled(connection: &ServerConnection) -> Option<Guess> {
    connection.alpn_protocol().map(|name| if name == b"h2" { Guess::Http2 } else { Guess::Http1 })
}

fn describe(connection: &ServerConnection) -> TlsSession {
    let version = match connection.protocol_version() {
        Some(rustls::ProtocolVersion::TLSv1_2) => "TLSv1.2",
        _ => "TLSv1.3",
    };
    TlsSession { version, server_name: connection.server_name().map(Into::into) }
}
