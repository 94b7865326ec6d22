//! `HyperionRs::Native::Server`: what `lib/hyperion_rs/server.rb` wraps.

use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use hyperion_core::access_log::{AccessLog, Format, Target};
use hyperion_core::listener::Inherited;
use hyperion_core::server::Running;
use hyperion_core::tls::{Tls, TlsError};
use hyperion_core::{Address, Observer, Server};
use magnus::prelude::*;
use magnus::typed_data::Obj;
use magnus::value::Opaque;
use magnus::{DataTypeFunctions, Error, RHash, RModule, Ruby, TypedData, Value, function, gc, method};
use tokio::sync::mpsc::Receiver;

use crate::errors::Class;
use crate::fork::Ours;
use crate::log::{Logger, Style};
use crate::metrics::Metrics;
use crate::roots::Roots;
use crate::settings::{Settings, TlsSettings};
use crate::site::{Door, Site};
use crate::supervisor::{Bridge, Notice, Supervisor};
use crate::{gvl, jump, signals, stall};

/// The native server.
#[derive(TypedData)]
#[magnus(class = "HyperionRs::Native::Server", free_immediately, mark)]
pub(crate) struct NativeServer {
    roots: Opaque<Obj<Roots>>,
    settings: Settings,
    bridge: Arc<Bridge>,
    metrics: Opaque<Obj<Metrics>>,
    notices: Mutex<Option<Receiver<Notice>>>,
    bound: Mutex<Option<Bound>>,
    /// For `reopen_logs`, of the process that has bound or runs it.
    access_log: Mutex<Option<Ours<AccessLog>>>,
    running: OnceLock<Ours<Running>>,
    stopped: AtomicBool,
    /// The stop leaves the listening sockets open, for `listeners`.
    handing_over: AtomicBool,
    listeners: Mutex<Vec<OwnedFd>>,
}

/// What is ready to be started.
struct Bound {
    server: Server,
    access_log: Option<AccessLog>,
}

impl DataTypeFunctions for NativeServer {
    fn mark(&self, marker: &gc::Marker) {
        marker.mark(self.roots);
        marker.mark(self.metrics);
    }
}

impl NativeServer {
    /// Takes the app, the Hash of `Configuration#native_settings`, a logger, and what counts.
    fn new(
        ruby: &Ruby,
        app: Value,
        settings: RHash,
        logger: Value,
        metrics: Obj<Metrics>,
    ) -> Result<Self, Error> {
        let settings = Settings::new(ruby, settings)?;
        let roots = Roots::new(ruby, app, Logger::new(logger, Style::Lines), None, None, &settings)?;
        let roots = ruby.obj_wrap(roots);
        let (bridge, notices) = Bridge::new(settings.threads_min, settings.threads_max);
        Ok(NativeServer {
            roots: roots.into(),
            settings,
            bridge,
            metrics: metrics.into(),
            notices: Mutex::new(Some(notices)),
            bound: Mutex::default(),
            access_log: Mutex::default(),
            running: OnceLock::new(),
            stopped: AtomicBool::new(false),
            handing_over: AtomicBool::new(false),
            listeners: Mutex::default(),
        })
    }

    /// Loads the certificate, opens the access log and binds every address; answers their URLs.
    fn bind(ruby: &Ruby, rb_self: &Self) -> Result<Vec<String>, Error> {
        let Settings {
            core, bindings, redirects, backlog, listen_fds, tls, access_log, admin_bindings, ..
        } = &rb_self.settings;
        let tls = load(tls).map_err(|error| Class::Configuration.error(ruby, error))?;
        let scheme = if tls.is_some() { "https" } else { "http" };
        let access_log = open(access_log).map_err(|error| Class::Configuration.error(ruby, error))?;
        rb_self.keep(access_log.as_ref());
        let mut inherited = inherit(ruby, listen_fds)?;
        let failed = |error| Class::Bind.error(ruby, error);
        let mut server =
            Server::bind_with(core.clone(), bindings, *backlog, tls, &mut inherited).map_err(failed)?;
        server.bind_redirects(redirects, *backlog, &mut inherited).map_err(failed)?;
        server.bind_admin(admin_bindings).map_err(failed)?;
        let urls = server.addresses().map(|address| url(scheme, address)).collect();
        *rb_self.bound.lock().unwrap_or_else(PoisonError::into_inner) = Some(Bound { server, access_log });
        Ok(urls)
    }

    /// The URLs of the addresses for scrapers and balancers, of a server that is bound and does not run yet.
    fn admin_urls(&self) -> Vec<String> {
        self.bound_urls(|server| server.admin_addresses().map(|address| url("http", address)).collect())
    }

    /// The URLs of the addresses that redirect, of a server that is bound and does not run yet.
    fn redirect_urls(&self) -> Vec<String> {
        self.bound_urls(|server| server.redirect_addresses().map(|address| url("http", address)).collect())
    }

    fn bound_urls(&self, urls: impl Fn(&Server) -> Vec<String>) -> Vec<String> {
        let bound = self.bound.lock().unwrap_or_else(PoisonError::into_inner);
        bound.as_ref().map(|bound| urls(&bound.server)).unwrap_or_default()
    }

    /// Serves until it was shut down and has drained.
    fn run(ruby: &Ruby, rb_self: Obj<Self>) -> Result<(), Error> {
        let take = |slot: &Mutex<Option<Bound>>| slot.lock().unwrap_or_else(PoisonError::into_inner).take();
        let misuse = |reason: &'static str| Error::new(ruby.exception_runtime_error(), reason);
        let bound = take(&rb_self.bound).ok_or_else(|| misuse("bind first, and run once"))?;
        let notices = rb_self.notices.lock().unwrap_or_else(PoisonError::into_inner).take();
        let mut notices = notices.ok_or_else(|| misuse("a server runs once"))?;
        let bridge = rb_self.bridge.clone();
        gvl::prepare(ruby)?;
        let roots = ruby.get_inner(rb_self.roots);
        let site = Site::open(ruby, roots, bridge.clone(), ruby.get_inner(rb_self.metrics).counters())?;
        let running = rb_self.start(ruby, bound, site.clone())?;
        let mut supervisor = Supervisor::new(ruby, bridge, &mut notices, roots.logger());
        let supervised = supervisor.supervise(running.finished()).and_then(|()| supervisor.join());
        let ended = match supervised {
            Ok(()) => site.tend(ruby).map(drop),
            // An exception ended the wait, such as an Interrupt: what serves is not left behind.
            Err(_) => {
                running.shutdown();
                supervised.and(jump::aside(|| supervisor.kill()))
            }
        };
        site.close(ruby);
        ended
    }

    /// Starts the reactor and the monitor, whose threads leave signals to Ruby's.
    fn start(&self, ruby: &Ruby, bound: Bound, site: Arc<Site>) -> Result<&Running, Error> {
        let Bound { server, access_log } = bound;
        self.keep(access_log.as_ref());
        let io_error = |error| Error::new(ruby.exception_io_error(), format!("cannot start: {error}"));
        let running = signals::blocked(|| {
            stall::start(self.bridge.clone())?;
            let observer = Observer { metrics: site.metrics.clone(), access_log };
            server.start(Arc::new(Door(site)), observer)
        });
        let running = Ours::new(running.map_err(|error| {
            // The monitor may be there already.
            self.bridge.queue.close();
            io_error(error)
        })?);
        let running = self.running.get_or_init(|| running);
        if self.stopped.load(Ordering::SeqCst) {
            self.stop(running);
        }
        Ok(running)
    }

    fn stop(&self, running: &Running) {
        if self.handing_over.load(Ordering::SeqCst) {
            running.hand_over();
        } else {
            running.shutdown();
        }
    }

    /// Begins the drain; returns at once. Takes no lock, so that a signal handler may call it.
    fn shutdown(&self) {
        self.stop_and_keep(false);
    }

    /// As `shutdown`, and keeps the listening sockets open, for `listeners`.
    fn hand_over(&self) {
        self.stop_and_keep(true);
    }

    fn stop_and_keep(&self, listeners: bool) {
        self.handing_over.store(listeners, Ordering::SeqCst);
        self.stopped.store(true, Ordering::SeqCst);
        if let Some(running) = self.running.get() {
            self.stop(running);
        }
    }

    /// The descriptors that `hand_over` has left open when `run` is over. They stay the server's own.
    fn listeners(&self) -> Vec<RawFd> {
        let mut listeners = self.listeners.lock().unwrap_or_else(PoisonError::into_inner);
        listeners.extend(self.running.get().map(|running| running.listeners()).unwrap_or_default());
        listeners.iter().map(AsRawFd::as_raw_fd).collect()
    }

    /// Opens the access log anew, after its file was renamed.
    fn reopen_logs(&self) {
        let log = self.access_log.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(log) = log.as_ref().filter(|log| !log.is_elsewhere()) {
            log.reopen();
        }
    }

    fn keep(&self, access_log: Option<&AccessLog>) {
        let ours = access_log.cloned().map(Ours::new);
        *self.access_log.lock().unwrap_or_else(PoisonError::into_inner) = ours;
    }

    /// Counters, by name.
    fn stats(ruby: &Ruby, rb_self: &Self) -> Result<RHash, Error> {
        let backlog = rb_self.bridge.queue.backlog();
        let stats = ruby.hash_new();
        let set = |name: &str, value: u64| stats.aset(ruby.to_symbol(name), value);
        set("threads", rb_self.bridge.workers() as u64)?;
        set("idle_threads", backlog.idle as u64)?;
        set("queued", backlog.jobs as u64)?;
        set("dispatched", backlog.popped)?;
        if let Some(running) = rb_self.running.get() {
            set("in_flight", running.admission().in_flight() as u64)?;
            set("rejected", running.admission().rejected())?;
            set("spilled_bytes", running.spilled())?;
        }
        Ok(stats)
    }
}

/// Duplicates of the descriptors, for the core to own.
fn inherit(ruby: &Ruby, listen_fds: &[RawFd]) -> Result<Inherited, Error> {
    let mut inherited = Inherited::default();
    for &fd in listen_fds {
        let refused = |reason: &dyn std::fmt::Display| {
            Class::Configuration.error(ruby, format_args!("listen_fds: {fd}: {reason}"))
        };
        // SAFETY: the descriptor is used for this call alone; `Configuration` lets no negative one through.
        let socket = unsafe { BorrowedFd::borrow_raw(fd) }.try_clone_to_owned();
        inherited.push(socket.map_err(|error| refused(&error))?).map_err(|error| refused(&error))?;
    }
    Ok(inherited)
}

/// The identity that the settings name.
pub(crate) fn load(tls: &TlsSettings) -> Result<Option<Tls>, TlsError> {
    match tls {
        TlsSettings::Off => Ok(None),
        TlsSettings::Development(dir) => Tls::development(dir).map(|(tls, _)| Some(tls)),
        TlsSettings::Files { cert, key } => Tls::load(cert, key).map(Some),
    }
}

fn open(access_log: &Option<(Format, Target)>) -> Result<Option<AccessLog>, String> {
    let Some((format, target)) = access_log else { return Ok(None) };
    let failed = |error| format!("access_log_path: cannot open {target}: {error}");
    AccessLog::open(*format, target.clone()).map(Some).map_err(failed)
}

fn url(scheme: &str, address: &Address) -> String {
    match address {
        Address::Tcp(address) => format!("{scheme}://{address}"),
        Address::Unix(Some(path)) => format!("unix://{}", path.display()),
        Address::Unix(None) => "unix://".into(),
    }
}

pub(crate) fn define(ruby: &Ruby, native: RModule) -> Result<(), Error> {
    let class = native.define_class("Server", ruby.class_object())?;
    class.undef_default_alloc_func();
    gvl::settle_class::<NativeServer>(ruby);
    class.define_singleton_method("new", function!(NativeServer::new, 4))?;
    class.define_method("bind", method!(NativeServer::bind, 0))?;
    class.define_method("admin_urls", method!(NativeServer::admin_urls, 0))?;
    class.define_method("redirect_urls", method!(NativeServer::redirect_urls, 0))?;
    class.define_method("run", method!(NativeServer::run, 0))?;
    class.define_method("shutdown", method!(NativeServer::shutdown, 0))?;
    class.define_method("reopen_logs", method!(NativeServer::reopen_logs, 0))?;
    class.define_method("hand_over", method!(NativeServer::hand_over, 0))?;
    class.define_method("listeners", method!(NativeServer::listeners, 0))?;
    class.define_method("stats", method!(NativeServer::stats, 0))
}
