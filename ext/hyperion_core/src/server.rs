//! The server as a whole: bound first, then started in threads of its own, then stopped.

use std::io;
use std::sync::Arc;
use std::thread;

use rustls::server::ServerConnection;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use crate::admission::Admission;
use crate::body::SpillBudget;
use crate::config::Config;
use crate::connection;
use crate::handler::Handler;
use crate::listener::{self, BindError, Binding, Bound, Socket};
use crate::peer::{Address, Peer, TlsSession};
use crate::reactor::Reactor;
use crate::report::{Event, Level};
use crate::shutdown::{Drain, Permit, Phase};
use crate::tls::Tls;

/// What all connections of a server share.
pub(crate) struct Context {
    pub(crate) config: Config,
    pub(crate) handler: Arc<dyn Handler>,
    pub(crate) admission: Arc<Admission>,
    pub(crate) spill: Arc<SpillBudget>,
    pub(crate) reactor: Arc<Reactor>,
}

/// A server that is bound, and does not run yet.
#[derive(Debug)]
pub struct Server {
    config: Config,
    bound: Vec<Bound>,
    tls: Option<Tls>,
}

/// A server at work. Dropping it does not stop it.
#[derive(Debug)]
pub struct Running {
    stop: watch::Sender<bool>,
    finished: watch::Receiver<bool>,
    context: Arc<Context>,
}

/// Threads for disk work; more would only queue at the disk.
const BLOCKING_THREADS: usize = 8;

impl Server {
    /// Binds every address, each with a queue of `backlog` connections.
    pub fn bind(
        config: Config,
        bindings: &[Binding],
        backlog: u32,
        tls: Option<Tls>,
    ) -> Result<Self, BindError> {
        let bound: Result<Vec<_>, _> = bindings.iter().map(|binding| binding.bind(backlog)).collect();
        Ok(Server { config, bound: bound?.into_iter().flatten().collect(), tls })
    }

    /// The addresses, with the ports that the system picked.
    pub fn addresses(&self) -> impl Iterator<Item = &Address> {
        self.bound.iter().map(Bound::address)
    }

    /// Starts the runtime in threads of its own. Not to be called before a fork: threads do not survive it.
    pub fn start(self, handler: Arc<dyn Handler>) -> io::Result<Running> {
        let context = Arc::new(Context {
            admission: Admission::new(self.config.limits.max_in_flight),
            spill: SpillBudget::new(self.config.buffers.spill_dir.clone(), self.config.buffers.spill_limit),
            reactor: Arc::default(),
            config: self.config,
            handler,
        });
        let runtime = runtime(context.config.io_threads)?;
        let (stop, stopped) = watch::channel(false);
        let (finish, finished) = watch::channel(false);
        let run = run(self.bound, self.tls, context.clone(), stopped);
        thread::Builder::new().name("hyperion-io".into()).spawn(move || {
            runtime.block_on(run);
            runtime.shutdown_background();
            finish.send_replace(true);
        })?;
        Ok(Running { stop, finished, context })
    }
}

impl Running {
    /// Begins a graceful stop; returns at once, and may be called again.
    pub fn shutdown(&self) {
        self.stop.send_replace(true);
    }

    /// Resolves when the stop is complete. For any executor.
    pub async fn finished(&self) {
        // An error says that the thread is gone, which is as finished as can be.
        let _ = self.finished.clone().wait_for(|finished| *finished).await;
    }

    /// The cap on requests in flight, and its counters.
    pub fn admission(&self) -> &Admission {
        &self.context.admission
    }

    /// Bytes in temporary files.
    pub fn spilled(&self) -> u64 {
        self.context.spill.used()
    }
}

impl std::fmt::Debug for Context {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Context").field("admission", &self.admission).finish_non_exhaustive()
    }
}

fn runtime(io_threads: usize) -> io::Result<Runtime> {
    let mut builder = match io_threads {
        0 | 1 => Builder::new_current_thread(),
        threads => {
            let mut builder = Builder::new_multi_thread();
            builder.worker_threads(threads);
            builder
        }
    };
    builder.enable_all().thread_name("hyperion-io").max_blocking_threads(BLOCKING_THREADS).build()
}

async fn run(bound: Vec<Bound>, tls: Option<Tls>, context: Arc<Context>, mut stopped: watch::Receiver<bool>) {
    let drain = Drain::new();
    let slots = Arc::new(Semaphore::new(context.config.limits.max_connections));
    let reactor = context.reactor.clone();
    let completions = tokio::spawn(async move { reactor.run().await });
    let acceptor = tls.map(|tls| TlsAcceptor::from(tls.0));
    for bound in bound {
        let serve = {
            let (context, acceptor) = (context.clone(), acceptor.clone());
            move |socket, remote, local, permit| {
                serve(socket, remote, local, permit, &context, acceptor.clone())
            }
        };
        tokio::spawn(listener::run(bound, context.clone(), slots.clone(), drain.permit(), serve));
    }
    // An error says that nobody can stop us any more: then it is time.
    let _ = stopped.wait_for(|stopped| *stopped).await;
    drain.stop(context.config.timeouts.shutdown).await;
    completions.abort();
}

fn serve(
    socket: Socket,
    remote: Address,
    local: Address,
    mut permit: Permit,
    context: &Arc<Context>,
    acceptor: Option<TlsAcceptor>,
) -> JoinHandle<()> {
    let context = context.clone();
    let Some(acceptor) = acceptor else {
        let peer = Arc::new(Peer { remote, local, tls: None });
        return tokio::spawn(connection::serve_h2(socket, peer, context, permit));
    };
    tokio::spawn(async move {
        let handshake = tokio::time::timeout(context.config.timeouts.tls_handshake, acceptor.accept(socket));
        let handshake = tokio::select! {
            handshake = handshake => handshake,
            () = permit.reached(Phase::Draining) => return,
        };
        match handshake {
            Ok(Ok(stream)) => {
                let tls = Some(session(stream.get_ref().1));
                let peer = Arc::new(Peer { remote, local, tls });
                serve_tls(stream, peer, context, permit).await;
            }
            Ok(Err(error)) => handshake_failed(&context, &remote, error.to_string()),
            Err(_) => handshake_failed(&context, &remote, "tls_handshake_timeout is over".into()),
        }
    })
}

/// Boxed: the handshake's future would otherwise be as large as the connection's.
fn serve_tls(
    stream: TlsStream<Socket>,
    peer: Arc<Peer>,
    context: Arc<Context>,
    permit: Permit,
) -> std::pin::Pin<Box<dyn Future<Output = ()> + Send>> {
    Box::pin(connection::serve_h2(stream, peer, context, permit))
}

fn session(connection: &ServerConnection) -> TlsSession {
    let version = match connection.protocol_version() {
        Some(rustls::ProtocolVersion::TLSv1_2) => "TLSv1.2",
        _ => "TLSv1.3",
    };
    TlsSession { version, server_name: connection.server_name().map(Into::into) }
}

fn handshake_failed(context: &Context, peer: &Address, reason: String) {
    if context.handler.enabled(Level::Debug) {
        context.handler.report(Level::Debug, &Event::HandshakeFailed { peer, reason });
    }
}
