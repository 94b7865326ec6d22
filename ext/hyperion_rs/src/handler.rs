//! `HyperionRs::Native::Handler`: what `lib/hyperion_rs/http2_handler.rb` wraps. It serves connections that somebody
//! else has accepted, one call a connection.

use std::os::fd::{BorrowedFd, OwnedFd};
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use hyperion_core::admission::Gate;
use hyperion_core::adopted::{AdoptError, Adopted};
use hyperion_core::tls::Tls;
use hyperion_core::{Observer, Service, TlsSession};
use magnus::prelude::*;
use magnus::typed_data::Obj;
use magnus::value::Opaque;
use magnus::{
    DataTypeFunctions, Error, RHash, RModule, Ruby, TryConvert, TypedData, Value, function, gc, method,
};

use crate::admission;
use crate::connection::Connection;
use crate::errors::Class;
use crate::fork::Ours;
use crate::gvl;
use crate::log::{Logger, Style};
use crate::metrics::Metrics;
use crate::mirror::Mirror;
use crate::pool::Pool;
use crate::roots::Roots;
use crate::server::load;
use crate::settings::Settings;
use crate::site::{Door, Site};

/// The native handler.
#[derive(TypedData)]
#[magnus(class = "HyperionRs::Native::Handler", free_immediately, mark)]
pub(crate) struct NativeHandler {
    roots: Opaque<Obj<Roots>>,
    metrics: Opaque<Obj<Metrics>>,
    settings: Settings,
    tls: Option<Tls>,
    gate: Gate,
    /// While it has connections.
    serving: Mutex<Option<Ours<Weak<Serving>>>>,
    stopped: AtomicBool,
}

/// What the connections of a handler share. It lives as long as the last of them, so that nothing but the handler
/// itself holds on to the application between connections.
pub(crate) struct Serving {
    pub(crate) service: Service,
    pub(crate) site: Arc<Site>,
    pub(crate) pool: Arc<Pool>,
}

impl DataTypeFunctions for NativeHandler {
    fn mark(&self, marker: &gc::Marker) {
        marker.mark(self.roots);
        marker.mark(self.metrics);
    }
}

impl NativeHandler {
    /// Takes the app, the Hash of `Configuration#native_settings`, a logger, what counts, and an admission object.
    fn new(
        ruby: &Ruby,
        app: Value,
        settings: RHash,
        logger: Value,
        metrics: Value,
        admission: Value,
    ) -> Result<Self, Error> {
        let settings = Settings::new(ruby, settings)?;
        let tls = load(&settings.tls).map_err(|error| Class::Configuration.error(ruby, error))?;
        let (gate, admission) = admission::of(admission);
        let (metrics, mirror) = match Obj::<Metrics>::try_convert(metrics) {
            Ok(metrics) => (metrics, None),
            Err(_) => (ruby.obj_wrap(Metrics::default()), Some(Mirror::new(metrics))),
        };
        let logger = Logger::new(logger, Style::Hashes);
        let roots = ruby.obj_wrap(Roots::new(ruby, app, logger, admission, mirror, &settings)?);
        Ok(NativeHandler {
            roots: roots.into(),
            metrics: metrics.into(),
            settings,
            tls,
            gate,
            serving: Mutex::default(),
            stopped: AtomicBool::new(false),
        })
    }

    /// Begins to serve the socket with this descriptor, which stays the caller's. Nil when its client has gone.
    fn open(ruby: &Ruby, rb_self: &Self, descriptor: i32) -> Result<Option<Connection>, Error> {
        let Some(adopted) = adopt(ruby, descriptor)? else { return Ok(None) };
        let serving = rb_self.serving(ruby)?;
        let _inside = serving.pool.engine.handle().enter();
        let connection = adopted.serve(&serving.service, rb_self.tls.as_ref());
        Ok(Some(Connection::begin(connection.map_err(|error| io_error(ruby, &error))?, &serving)))
    }

    /// As `open`, for bytes that the caller passes on. `carrier` is the descriptor of the client's own socket, if it has
    /// one, and `tls` the version and the server name of what the caller has taken them out of.
    fn open_behind(
        ruby: &Ruby,
        rb_self: &Self,
        descriptor: i32,
        carrier: Option<i32>,
        tls: Option<(String, Option<String>)>,
    ) -> Result<Option<Connection>, Error> {
        let Some(adopted) = adopt(ruby, descriptor)? else { return Ok(None) };
        let carrier = match carrier {
            Some(descriptor) => match adopt(ruby, descriptor)? {
                None => return Ok(None),
                carrier => carrier,
            },
            None => None,
        };
        let tls =
            tls.map(|(version, server_name)| TlsSession { version: tls_version(&version), server_name });
        let serving = rb_self.serving(ruby)?;
        let _inside = serving.pool.engine.handle().enter();
        let connection = adopted.serve_behind(&serving.service, carrier, tls);
        Ok(Some(Connection::begin(connection.map_err(|error| io_error(ruby, &error))?, &serving)))
    }

    /// What connections share, from those that there are, or made for the first one.
    fn serving(&self, ruby: &Ruby) -> Result<Arc<Serving>, Error> {
        let pool = Pool::of_process(ruby, &self.settings)?;
        let current = self.current().filter(|serving| Arc::ptr_eq(&serving.pool, &pool));
        if let Some(serving) = current {
            return Ok(serving);
        }
        let counters = ruby.get_inner(self.metrics).counters();
        let site = Site::open(ruby, ruby.get_inner(self.roots), pool.bridge.clone(), counters)?;
        let service = {
            let _inside = pool.engine.handle().enter();
            let door = Arc::new(Door(site.clone()));
            let observer = Observer { metrics: site.metrics.clone(), access_log: None };
            Service::with_gate(self.settings.core.clone(), door, observer, self.gate.clone())
        };
        let serving = Arc::new(Serving { service, site, pool });
        *self.slot() = Some(Ours::new(Arc::downgrade(&serving)));
        if self.stopped.load(SeqCst) {
            serving.stop();
        }
        Ok(serving)
    }

    fn slot(&self) -> MutexGuard<'_, Option<Ours<Weak<Serving>>>> {
        self.serving.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn current(&self) -> Option<Arc<Serving>> {
        self.slot().as_ref().filter(|serving| !serving.is_elsewhere())?.upgrade()
    }

    /// Connections take no new requests from now on, and end when those in flight are finished; later ones end at
    /// once. Returns at once.
    fn shutdown(&self) {
        self.stopped.store(true, SeqCst);
        if let Some(serving) = self.current() {
            serving.stop();
        }
    }
}

impl Serving {
    fn stop(self: &Arc<Self>) {
        let service = self.service.clone();
        self.pool.engine.handle().spawn(async move { service.stop().await });
    }
}

fn adopt(ruby: &Ruby, descriptor: i32) -> Result<Option<Adopted>, Error> {
    let adopted = clone(descriptor).map_err(AdoptError::Io).and_then(Adopted::new);
    adopted.map_err(|error| match error {
        AdoptError::NotAStream => Error::new(ruby.exception_arg_error(), error.to_string()),
        AdoptError::Io(error) => io_error(ruby, &error),
    })
}

/// The descriptor once more, for the reactor to own.
fn clone(descriptor: i32) -> std::io::Result<OwnedFd> {
    // SAFETY: the caller of `open` holds the IO that this descriptor belongs to; a wrong one is refused by the system.
    unsafe { BorrowedFd::borrow_raw(descriptor) }.try_clone_to_owned()
}

fn tls_version(version: &str) -> &'static str {
    match version {
        "TLSv1.2" => "TLSv1.2",
        _ => "TLSv1.3",
    }
}

fn io_error(ruby: &Ruby, error: &std::io::Error) -> Error {
    Error::new(ruby.exception_io_error(), error.to_string())
}

pub(crate) fn define(ruby: &Ruby, native: RModule) -> Result<(), Error> {
    let class = native.define_class("Handler", ruby.class_object())?;
    class.undef_default_alloc_func();
    gvl::settle_class::<NativeHandler>(ruby);
    class.define_singleton_method("new", function!(NativeHandler::new, 5))?;
    class.define_method("open", method!(NativeHandler::open, 1))?;
    class.define_method("open_behind", method!(NativeHandler::open_behind, 3))?;
    class.define_method("shutdown", method!(NativeHandler::shutdown, 0))
}
