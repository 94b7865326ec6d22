//! The server as a whole: bound first, then started in threads of its own, then stopped.

use std::io;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::thread;

use tokio::runtime::{Builder, Runtime};
use tokio::sync::{Semaphore, watch};

use crate::access_log::AccessLog;
use crate::admin::AdminService;
use crate::admission::Admission;
use crate::config::Config;
use crate::handler::Handler;
use crate::listener::{self, BindError, Binding, Bound, Door, Handover, Inherited};
use crate::observe::Observer;
use crate::peer::Address;
use crate::service::Service;
use crate::tls::Tls;

/// A server that is bound, and does not run yet.
#[derive(Debug)]
pub struct Server {
    config: Config,
    bound: Vec<Bound>,
    admin: Vec<Bound>,
    /// Where requests in the clear are answered by their https URLs.
    redirects: Vec<Bound>,
    tls: Option<Tls>,
}

/// A server at work. Dropping it does not stop it.
#[derive(Debug)]
pub struct Running {
    stop: watch::Sender<bool>,
    finished: watch::Receiver<bool>,
    service: Service,
    handover: Arc<Handover>,
}

/// Where https is, when no listener has a port.
const HTTPS_PORT: u16 = 443;
/// Threads for disk work; more would only queue at the disk.
const BLOCKING_THREADS: usize = 8;
/// Connections of scrapers and balancers that may wait to be accepted.
const ADMIN_BACKLOG: u32 = 16;

impl Server {
    /// Binds every address, each with a queue of `backlog` connections.
    pub fn bind(
        config: Config,
        bindings: &[Binding],
        backlog: u32,
        tls: Option<Tls>,
    ) -> Result<Self, BindError> {
        Self::bind_with(config, bindings, backlog, tls, &mut Inherited::default())
    }

    /// As [`Server::bind`], with the sockets that others opened in the place of those that it would bind.
    pub fn bind_with(
        config: Config,
        bindings: &[Binding],
        backlog: u32,
        tls: Option<Tls>,
        inherited: &mut Inherited,
    ) -> Result<Self, BindError> {
        let bound = bind_all(bindings, backlog, inherited)?;
        Ok(Server { config, bound, admin: Vec::new(), redirects: Vec::new(), tls })
    }

    /// Binds more addresses, where each request is answered by its https URL at the first port of the others.
    pub fn bind_redirects(
        &mut self,
        bindings: &[Binding],
        backlog: u32,
        inherited: &mut Inherited,
    ) -> Result<(), BindError> {
        self.redirects.extend(bind_all(bindings, backlog, inherited)?);
        Ok(())
    }

    /// The addresses of [`Server::bind_redirects`].
    pub fn redirect_addresses(&self) -> impl Iterator<Item = &Address> {
        self.redirects.iter().map(Bound::address)
    }

    /// Binds addresses at which `/metrics`, `/healthz` and `/readyz` are answered, without TLS, until the stop is over.
    pub fn bind_admin(&mut self, bindings: &[Binding]) -> Result<(), BindError> {
        for binding in bindings {
            self.admin.extend(binding.bind(ADMIN_BACKLOG, &mut Inherited::default())?);
        }
        Ok(())
    }

    /// The addresses of [`Server::bind_admin`], with the ports that the system picked.
    pub fn admin_addresses(&self) -> impl Iterator<Item = &Address> {
        self.admin.iter().map(Bound::address)
    }

    /// The addresses, with the ports that the system picked.
    pub fn addresses(&self) -> impl Iterator<Item = &Address> {
        self.bound.iter().map(Bound::address)
    }

    /// Starts the runtime in threads of its own. Not to be called before a fork: threads do not survive it.
    pub fn start(self, handler: Arc<dyn Handler>, observer: Observer) -> io::Result<Running> {
        let log = observer.access_log.clone();
        if let Some(log) = &log {
            log.start(handler.clone())?;
        }
        self.start_serving(handler, observer).inspect_err(|_| finish(log.as_ref()))
    }

    fn start_serving(self, handler: Arc<dyn Handler>, observer: Observer) -> io::Result<Running> {
        let log = observer.access_log.clone();
        let Server { config, bound, admin, redirects, tls } = self;
        let doors = doors(bound, redirects, tls);
        let runtime = runtime(config.io_threads)?;
        let service = {
            let _inside = runtime.enter();
            Service::new(config, handler, observer)
        };
        let (stop, stopped) = watch::channel(false);
        let (end, finished) = watch::channel(false);
        let handover = Arc::<Handover>::default();
        let run = run(doors, service.clone(), stopped.clone(), handover.clone());
        let administered = service.clone();
        thread::Builder::new().name("hyperion-io".into()).spawn(move || {
            runtime.block_on(async {
                let admin = AdminService::start(admin, &administered, stopped);
                run.await;
                if let Some(admin) = admin {
                    admin.stop().await;
                }
            });
            runtime.shutdown_background();
            finish(log.as_ref());
            end.send_replace(true);
        })?;
        Ok(Running { stop, finished, service, handover })
    }
}

impl Running {
    /// Begins a graceful stop; returns at once, and may be called again.
    pub fn shutdown(&self) {
        self.stop_and_keep(false);
    }

    /// As [`Running::shutdown`], and keeps the listening sockets open: connections wait in their queues for whoever
    /// gets them.
    pub fn hand_over(&self) {
        self.stop_and_keep(true);
    }

    fn stop_and_keep(&self, listeners: bool) {
        self.handover.want(listeners);
        self.stop.send_replace(true);
    }

    /// The listening sockets that a complete stop by [`Running::hand_over`] has left; they are given once.
    pub fn listeners(&self) -> Vec<OwnedFd> {
        self.handover.take()
    }

    /// Resolves when the stop is complete. For any executor.
    pub async fn finished(&self) {
        // An error says that the thread is gone, which is as finished as can be.
        let _ = self.finished.clone().wait_for(|finished| *finished).await;
    }

    /// The cap on requests in flight, and its counters.
    pub fn admission(&self) -> &Admission {
        self.service.admission()
    }

    /// Bytes in temporary files.
    pub fn spilled(&self) -> u64 {
        self.service.spilled()
    }
}

/// Has the last lines written.
fn finish(log: Option<&AccessLog>) {
    if let Some(log) = log {
        log.finish();
    }
}

pub(crate) fn runtime(io_threads: usize) -> io::Result<Runtime> {
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

fn bind_all(bindings: &[Binding], backlog: u32, inherited: &mut Inherited) -> Result<Vec<Bound>, BindError> {
    let bound: Result<Vec<_>, _> = bindings.iter().map(|binding| binding.bind(backlog, inherited)).collect();
    Ok(bound?.into_iter().flatten().collect())
}

/// What each listener leads to.
fn doors(bound: Vec<Bound>, redirects: Vec<Bound>, tls: Option<Tls>) -> Vec<(Bound, Door)> {
    let port = bound.iter().find_map(|bound| match bound.address() {
        Address::Tcp(address) => Some(address.port()),
        Address::Unix(_) => None,
    });
    let door = || tls.clone().map_or(Door::Clear, Door::Tls);
    let redirect = || Door::Redirect(port.unwrap_or(HTTPS_PORT));
    let served = bound.into_iter().map(|bound| (bound, door()));
    served.chain(redirects.into_iter().map(|bound| (bound, redirect()))).collect()
}

async fn run(
    doors: Vec<(Bound, Door)>,
    service: Service,
    mut stopped: watch::Receiver<bool>,
    handover: Arc<Handover>,
) {
    let slots = Arc::new(Semaphore::new(service.context().config.limits.max_connections));
    for (bound, door) in doors {
        tokio::spawn(listener::run(bound, door, service.clone(), slots.clone(), handover.clone()));
    }
    // An error says that nobody can stop us any more: then it is time.
    let _ = stopped.wait_for(|stopped| *stopped).await;
    service.stop().await;
}
