//! What all handlers of a process share: the reactor, and the threads that call applications. Made at first use, and
//! anew in a forked child, where a background thread looks after it until the process ends.

use std::future::pending;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use hyperion_core::Engine;
use hyperion_core::report::Level;
use magnus::prelude::*;
use magnus::{Error, ExceptionClass, RClass, RModule, Ruby, Thread, Value};
use tokio::sync::mpsc::Receiver;
use tokio::sync::watch;

use crate::cache::GvlCell;
use crate::fork::Ours;
use crate::log::{Logger, Style};
use crate::settings::Settings;
use crate::supervisor::{Bridge, Notice, Supervisor};
use crate::{gvl, signals, stall};

/// After supervision failed, for want of threads: until it is tried again.
const RETRY: Duration = Duration::from_secs(1);

/// The reactor and the threads.
pub(crate) struct Pool {
    pub(crate) engine: Engine,
    pub(crate) bridge: Arc<Bridge>,
    /// Here while no thread looks after the pool.
    notices: Mutex<Option<Receiver<Notice>>>,
    closed: watch::Sender<bool>,
}

static POOL: GvlCell<Option<Ours<Arc<Pool>>>> = GvlCell::new(None);

impl Pool {
    /// The pool of this process. The settings are those of its first handler.
    pub(crate) fn of_process(ruby: &Ruby, settings: &Settings) -> Result<Arc<Self>, Error> {
        let pool = match current(ruby) {
            Some(pool) => pool,
            None => Self::start(ruby, settings)?,
        };
        pool.ensure_supervised(ruby)?;
        Ok(pool)
    }

    fn start(ruby: &Ruby, settings: &Settings) -> Result<Arc<Self>, Error> {
        let (bridge, notices) = Bridge::new(settings.threads_min, settings.threads_max);
        let engine = signals::blocked(|| {
            stall::start(bridge.clone())?;
            Engine::start(settings.core.io_threads)
        });
        let engine = engine.map_err(|error| {
            // The monitor may be there already.
            bridge.queue.close();
            Error::new(ruby.exception_io_error(), format!("cannot start: {error}"))
        })?;
        let notices = Mutex::new(Some(notices));
        let pool = Arc::new(Pool { engine, bridge, notices, closed: watch::Sender::new(false) });
        POOL.with(ruby, |slot| *slot = Some(Ours::new(pool.clone())));
        // Ruby ends its threads one by one: none of them is to be replaced then.
        let at_exit = ruby.proc_from_fn(|ruby, _, _| close(ruby));
        ruby.module_kernel().funcall_with_block::<_, _, Value>("at_exit", (), at_exit)?;
        Ok(pool)
    }

    /// Starts the thread that looks after the others, unless it is there. It may have been killed.
    fn ensure_supervised(self: &Arc<Self>, ruby: &Ruby) -> Result<(), Error> {
        let Some(notices) = self.notices().take() else { return Ok(()) };
        let watch = Arc::new(Watch { pool: self.clone(), notices: Mutex::new(Some(notices)) });
        let block = ruby.proc_from_fn({
            let watch = watch.clone();
            move |ruby, _, _| watch.keep(ruby)
        });
        let started = ruby.class_thread().funcall_with_block::<_, _, Thread>("new", (), block);
        let thread = started.inspect_err(|_| watch.end())?;
        thread.funcall::<_, _, Value>("report_on_exception=", (false,))?;
        thread.funcall::<_, _, Value>("name=", ("hyperion-rs pool",)).map(drop)
    }

    fn notices(&self) -> MutexGuard<'_, Option<Receiver<Notice>>> {
        self.notices.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn current(ruby: &Ruby) -> Option<Arc<Pool>> {
    POOL.with(ruby, |slot| slot.as_ref().filter(|pool| !pool.is_elsewhere()).map(|pool| Arc::clone(pool)))
}

/// The process ends.
fn close(ruby: &Ruby) {
    if let Some(pool) = current(ruby) {
        pool.closed.send_replace(true);
        pool.bridge.queue.close();
        POOL.with(ruby, |slot| *slot = None);
    }
}

/// One thread's turn at looking after the pool.
struct Watch {
    pool: Arc<Pool>,
    notices: Mutex<Option<Receiver<Notice>>>,
}

impl Watch {
    /// Looks after the pool until it is closed, or something kills the thread.
    fn keep(&self, ruby: &Ruby) -> Result<(), Error> {
        leave_group(ruby)?;
        let kept = match self.take() {
            Some(mut notices) => {
                let kept = self.supervise(ruby, &mut notices);
                *self.notices() = Some(notices);
                kept
            }
            None => Ok(()),
        };
        self.end();
        kept
    }

    fn supervise(&self, ruby: &Ruby, notices: &mut Receiver<Notice>) -> Result<(), Error> {
        let logger = default_logger(ruby)?;
        let mut supervisor = Supervisor::new(ruby, self.pool.bridge.clone(), notices, logger);
        loop {
            let mut closed = self.pool.closed.subscribe();
            let closed = async move {
                // The pool, and its sender, are held here.
                let _ = closed.wait_for(|closed| *closed).await;
            };
            match supervisor.supervise(closed) {
                Ok(()) => return supervisor.join(),
                Err(error) if error.is_kind_of(ruby.exception_standard_error()) => {
                    logger.write(
                        ruby,
                        Level::Error,
                        format!("the threads cannot be looked after: {error}"),
                    )?;
                    gvl::wait_until(ruby, pending::<()>(), Some(Instant::now() + RETRY))?;
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// Somebody else may take its turn.
    fn end(&self) {
        let notices = self.take();
        *self.pool.notices() = notices;
    }

    fn take(&self) -> Option<Receiver<Notice>> {
        self.notices().take()
    }

    fn notices(&self) -> MutexGuard<'_, Option<Receiver<Notice>>> {
        self.notices.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The group of a thread is that of the one that started it, which may wait for all of its own group. An enclosed one
/// keeps its threads.
fn leave_group(ruby: &Ruby) -> Result<(), Error> {
    let default: Value = ruby.class_object().const_get::<_, RClass>("ThreadGroup")?.const_get("Default")?;
    match default.funcall::<_, _, Value>("add", (ruby.thread_current(),)) {
        Err(error)
            if !error.is_kind_of(ruby.class_object().const_get::<_, ExceptionClass>("ThreadError")?) =>
        {
            Err(error)
        }
        _ => Ok(()),
    }
}

/// What concerns no handler in particular is logged where the default runtime logs.
fn default_logger(ruby: &Ruby) -> Result<Logger, Error> {
    let module: RModule = ruby.class_object().const_get("HyperionRs")?;
    let runtime: Value = module.const_get::<_, Value>("Runtime")?.funcall("default", ())?;
    Ok(Logger::new(runtime.funcall("logger", ())?, Style::Hashes))
}
