//! `HyperionRs::Native::Server`: what `lib/hyperion_rs/server.rb` wraps.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use hyperion_core::server::Running;
use hyperion_core::tls::{Tls, TlsError};
use hyperion_core::{Address, Server};
use magnus::prelude::*;
use magnus::typed_data::Obj;
use magnus::value::Opaque;
use magnus::{DataTypeFunctions, Error, RHash, RModule, Ruby, TypedData, Value, function, gc, method};
use tokio::sync::mpsc::Receiver;

use crate::body::Streaming;
use crate::errors::Class;
use crate::fork::Ours;
use crate::handle::{EarlyHints, Pending};
use crate::input::Classes;
use crate::settings::{Settings, TlsSettings};
use crate::supervisor::{Bridge, Door, Notice, Supervisor};
use crate::{env, gvl, jump, stall};

/// The native server.
#[derive(TypedData)]
#[magnus(class = "HyperionRs::Native::Server", free_immediately, mark)]
pub(crate) struct NativeServer {
    roots: Roots,
    settings: Settings,
    bridge: Arc<Bridge>,
    notices: Mutex<Option<Receiver<Notice>>>,
    bound: Mutex<Option<Server>>,
    running: OnceLock<Ours<Running>>,
    stopped: AtomicBool,
}

/// The Ruby objects that serving needs; the garbage collector finds them through the server.
pub(crate) struct Roots {
    app: Opaque<Value>,
    logger: Opaque<Value>,
    template: Opaque<RHash>,
    string_io: Opaque<magnus::RClass>,
    streaming_input: Opaque<magnus::RClass>,
    spilled_input: Opaque<magnus::RClass>,
    empty_input: Opaque<Value>,
    each: Opaque<Value>,
    stream: Opaque<Value>,
    /// What `rack.response_finished` callbacks are called with, by number.
    finishing: Opaque<RHash>,
    next_finishing: AtomicU64,
    early_hints: bool,
    rack_version: (u32, u32),
}

/// The arguments of `rack.response_finished`; the env has the callbacks.
type Finishing = (RHash, Value, Value, Value);

impl Roots {
    fn new(ruby: &Ruby, app: Value, logger: Value, settings: &Settings) -> Result<Self, Error> {
        let tls = !matches!(settings.tls, TlsSettings::Off);
        let errors: Value = ruby.eval("$stderr")?;
        let template = env::template(ruby, settings, tls, errors)?;
        let classes = Classes::find(ruby, settings.rack_version)?;
        let streaming = Streaming::find(ruby)?;
        Ok(Roots {
            app: app.into(),
            logger: logger.into(),
            template: template.into(),
            string_io: classes.string_io.into(),
            streaming_input: classes.streaming.into(),
            spilled_input: classes.spilled.into(),
            empty_input: classes.empty.into(),
            each: streaming.each.into(),
            stream: streaming.stream.into(),
            finishing: ruby.hash_new().into(),
            next_finishing: AtomicU64::new(0),
            early_hints: settings.early_hints,
            rack_version: settings.rack_version,
        })
    }

    fn mark(&self, marker: &gc::Marker) {
        for value in [self.app, self.logger, self.empty_input, self.each, self.stream] {
            marker.mark(value);
        }
        marker.mark(self.template);
        marker.mark(self.finishing);
        marker.mark(self.string_io);
        marker.mark(self.streaming_input);
        marker.mark(self.spilled_input);
    }

    pub(crate) fn app(&self, ruby: &Ruby) -> Value {
        ruby.get_inner(self.app)
    }

    pub(crate) fn logger(&self, ruby: &Ruby) -> Value {
        ruby.get_inner(self.logger)
    }

    pub(crate) fn template(&self, ruby: &Ruby) -> RHash {
        ruby.get_inner(self.template)
    }

    pub(crate) fn input_classes(&self, ruby: &Ruby) -> Classes {
        Classes {
            string_io: ruby.get_inner(self.string_io),
            streaming: ruby.get_inner(self.streaming_input),
            spilled: ruby.get_inner(self.spilled_input),
            empty: ruby.get_inner(self.empty_input),
        }
    }

    pub(crate) fn streaming(&self, ruby: &Ruby) -> Streaming {
        Streaming { each: ruby.get_inner(self.each), stream: ruby.get_inner(self.stream) }
    }

    /// `rack.early_hints` of a request, when the server has it.
    pub(crate) fn early_hints(&self, pending: &Pending) -> Option<EarlyHints> {
        self.early_hints.then(|| EarlyHints::new(pending.clone(), self.logger))
    }

    /// Of the Rack that is loaded: major and minor.
    pub(crate) fn rack_version(&self) -> (u32, u32) {
        self.rack_version
    }

    /// Keeps the arguments of `rack.response_finished` until the response is over; answers their number.
    pub(crate) fn remember(
        &self,
        ruby: &Ruby,
        finishing: (RHash, Option<Value>, Option<Value>, Option<Value>),
    ) -> Result<u64, Error> {
        let id = self.next_finishing.fetch_add(1, Ordering::Relaxed);
        ruby.get_inner(self.finishing).aset(id, finishing)?;
        Ok(id)
    }

    /// Takes them back.
    pub(crate) fn recall(&self, ruby: &Ruby, id: u64) -> Result<Option<Finishing>, Error> {
        ruby.get_inner(self.finishing).delete(id)
    }
}

impl DataTypeFunctions for NativeServer {
    fn mark(&self, marker: &gc::Marker) {
        self.roots.mark(marker);
    }
}

impl NativeServer {
    pub(crate) fn roots(&self) -> &Roots {
        &self.roots
    }

    /// Takes the app, the Hash of `Configuration#native_settings` and a logger.
    fn new(ruby: &Ruby, app: Value, settings: RHash, logger: Value) -> Result<Self, Error> {
        let settings = Settings::new(ruby, settings)?;
        let roots = Roots::new(ruby, app, logger, &settings)?;
        let (bridge, notices) = Bridge::new(settings.threads_min, settings.threads_max);
        bridge.log.follow(logger)?;
        Ok(NativeServer {
            roots,
            settings,
            bridge,
            notices: Mutex::new(Some(notices)),
            bound: Mutex::default(),
            running: OnceLock::new(),
            stopped: AtomicBool::new(false),
        })
    }

    /// Loads the certificate and binds every address; answers their URLs.
    fn bind(ruby: &Ruby, rb_self: &Self) -> Result<Vec<String>, Error> {
        let Settings { core, bindings, backlog, tls, .. } = &rb_self.settings;
        let tls = load(tls).map_err(|error| Class::Configuration.error(ruby, error))?;
        let scheme = if tls.is_some() { "https" } else { "http" };
        let server = Server::bind(core.clone(), bindings, *backlog, tls)
            .map_err(|error| Class::Bind.error(ruby, error))?;
        let urls = server.addresses().map(|address| url(scheme, address)).collect();
        *rb_self.bound.lock().unwrap_or_else(PoisonError::into_inner) = Some(server);
        Ok(urls)
    }

    /// Serves until it was shut down and has drained.
    fn run(ruby: &Ruby, rb_self: Obj<Self>) -> Result<(), Error> {
        let take = |slot: &Mutex<Option<Server>>| slot.lock().unwrap_or_else(PoisonError::into_inner).take();
        let misuse = |reason: &'static str| Error::new(ruby.exception_runtime_error(), reason);
        let server = take(&rb_self.bound).ok_or_else(|| misuse("bind first, and run once"))?;
        let notices = rb_self.notices.lock().unwrap_or_else(PoisonError::into_inner).take();
        let notices = notices.ok_or_else(|| misuse("a server runs once"))?;
        let bridge = rb_self.bridge.clone();
        gvl::prepare(ruby)?;
        let running = rb_self.start(ruby, server)?;
        let threads = ruby.ary_new();
        let mut supervisor = Supervisor { ruby, server: rb_self, bridge, notices, threads, retry: None };
        let supervised = supervisor.supervise(running).and_then(|()| supervisor.join());
        if supervised.is_err() {
            // An exception ended the wait, such as an Interrupt: what serves is not left behind.
            running.shutdown();
            return supervised.and(jump::aside(|| supervisor.kill()));
        }
        supervised
    }

    /// Starts the reactor and the monitor, whose threads leave signals to Ruby's.
    fn start(&self, ruby: &Ruby, server: Server) -> Result<&Running, Error> {
        let io_error = |error| Error::new(ruby.exception_io_error(), format!("cannot start: {error}"));
        let bridge = self.bridge.clone();
        let running = crate::signals::blocked(|| {
            std::thread::Builder::new().name("hyperion-stall".into()).spawn({
                let bridge = bridge.clone();
                move || stall::watch(&bridge)
            })?;
            server.start(Arc::new(Door(bridge)))
        });
        let running = Ours::new(running.map_err(|error| {
            // The monitor may be there already.
            self.bridge.queue.close();
            io_error(error)
        })?);
        let running = self.running.get_or_init(|| running);
        if self.stopped.load(Ordering::SeqCst) {
            running.shutdown();
        }
        Ok(running)
    }

    /// Begins the drain; returns at once. Takes no lock, so that a signal handler may call it.
    fn shutdown(&self) {
        self.stopped.store(true, Ordering::SeqCst);
        if let Some(running) = self.running.get() {
            running.shutdown();
        }
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

fn load(tls: &TlsSettings) -> Result<Option<Tls>, TlsError> {
    match tls {
        TlsSettings::Off => Ok(None),
        TlsSettings::Development(dir) => Tls::development(dir).map(|(tls, _)| Some(tls)),
        TlsSettings::Files { cert, key } => Tls::load(cert, key).map(Some),
    }
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
    class.define_singleton_method("new", function!(NativeServer::new, 3))?;
    class.define_method("bind", method!(NativeServer::bind, 0))?;
    class.define_method("run", method!(NativeServer::run, 0))?;
    class.define_method("shutdown", method!(NativeServer::shutdown, 0))?;
    class.define_method("stats", method!(NativeServer::stats, 0))
}
