//! A site: one application, with what serves it. The core and the queue know it as plain Rust; its Ruby objects are found
//! through a registry, which keeps them for as long as anything in flight refers to the site.

use std::sync::{Arc, Weak};
use std::time::Instant;

use hyperion_core::metrics::Metrics;
use hyperion_core::report::{Event, Level, Reporter};
use hyperion_core::request::Request;
use hyperion_core::response::Outcome;
use hyperion_core::{Exchange, Handler};
use magnus::prelude::*;
use magnus::typed_data::Obj;
use magnus::value::Opaque;
use magnus::{DataTypeFunctions, Error, RModule, Ruby, TypedData, gc};

use crate::cache::GvlCell;
use crate::errands::Errands;
use crate::gvl;
use crate::log::Backlog;
use crate::roots::Roots;
use crate::supervisor::{Bridge, Notice};

/// What a worker is to do.
#[derive(Debug)]
pub(crate) struct Job {
    pub(crate) site: Arc<Site>,
    pub(crate) task: Task,
}

#[derive(Debug)]
#[expect(
    clippy::large_enum_variant,
    reason = "nearly all are requests, and a box would be freed by another thread"
)]
pub(crate) enum Task {
    /// Serve a request.
    Serve(Exchange),
    /// Call the `rack.response_finished` callbacks that are remembered under this number.
    Finished(u64, Outcome),
}

/// What connections, jobs and responses in flight share.
#[derive(Debug)]
pub(crate) struct Site {
    /// Where the registry has its roots.
    place: usize,
    bridge: Arc<Bridge>,
    pub(crate) errands: Errands,
    pub(crate) metrics: Arc<Metrics>,
    /// Whether an object of the application's is to hear what is counted.
    mirrored: bool,
    this: Weak<Site>,
}

impl Site {
    /// Opens a site whose requests are served by the workers of `bridge`, and counted.
    pub(crate) fn open(
        ruby: &Ruby,
        roots: Obj<Roots>,
        bridge: Arc<Bridge>,
        metrics: Arc<Metrics>,
    ) -> Result<Arc<Self>, Error> {
        let errands = Errands::new(Backlog::of(ruby, roots.logger())?);
        Ok(Arc::new_cyclic(|this| Site {
            place: register(ruby, this.clone(), roots),
            bridge,
            errands,
            metrics,
            mirrored: roots.mirror().is_some(),
            this: this.clone(),
        }))
    }

    /// Lets go of the Ruby objects, although responses may still refer to the site.
    pub(crate) fn close(&self, ruby: &Ruby) {
        SITES.with(ruby, |sites| sites[self.place].roots = None);
    }

    /// Its Ruby objects, unless it was closed. They live as long as a pointer to the site does.
    pub(crate) fn roots(&self, ruby: &Ruby) -> Option<Obj<Roots>> {
        SITES.with(ruby, |sites| sites[self.place].roots).map(|roots| ruby.get_inner(roots))
    }

    /// Whether lines of this level are wanted.
    pub(crate) fn enabled(&self, level: Level) -> bool {
        self.errands.log.enabled(level)
    }

    /// A response that somebody wants to hear the end of is over.
    pub(crate) fn finish(&self, id: u64, outcome: Outcome) {
        self.push(Instant::now(), Task::Finished(id, outcome));
    }

    /// The admission object of the application's has turned a request away.
    pub(crate) fn refused(&self, request: &Request) {
        if self.enabled(Level::Debug) {
            let (peer, stream_id) = (&request.peer.remote, request.stream_id);
            self.report(
                Level::Debug,
                &Event::RequestRejected { peer, stream_id, reason: "h2_admission is full" },
            );
        }
    }

    /// What a request holds whose end an object of the application's has to hear of: its admission object, when that
    /// has admitted it, or its metrics.
    pub(crate) fn stay(&self, admitted: bool) -> Stay {
        Stay { site: self.this(), admitted }
    }

    /// Does what waits for a thread with the GVL. Answers the turn, see [`Errands::is_settled`].
    pub(crate) fn tend(&self, ruby: &Ruby) -> Result<u64, Error> {
        self.errands.unring();
        let Some(roots) = self.roots(ruby) else { return Ok(0) };
        // What ends this thread leaves the rest to another one.
        let tended = self.errands.run(ruby, &roots, &self.metrics).inspect_err(|_| self.ring());
        gvl::keep(roots);
        tended
    }

    /// Whether all that was taken before this turn is done.
    pub(crate) fn is_settled(&self, turn: u64) -> bool {
        self.errands.is_settled(turn)
    }

    fn report(&self, level: Level, event: &Event<'_>) {
        self.errands.log.push(level, event);
        self.ring();
    }

    fn this(&self) -> Arc<Site> {
        self.this.upgrade().expect("whoever calls this holds one")
    }

    fn push(&self, since: Instant, task: Task) {
        // A closed queue gives the job back. Its responder answers 500 as it is dropped.
        drop(self.bridge.queue.push_since(since, Job { site: self.this(), task }));
    }

    fn ring(&self) {
        if self.errands.ring() && !self.bridge.notify(Notice::Tend(self.this())) {
            self.errands.unring();
        }
    }
}

/// The handler that the core calls: it queues, and returns at once.
#[derive(Debug)]
pub(crate) struct Door(pub(crate) Arc<Site>);

impl Handler for Door {
    fn handle(&self, exchange: Exchange) {
        self.0.push(exchange.responder.queued_at(), Task::Serve(exchange));
    }

    fn counted(&self) {
        if self.0.mirrored {
            self.0.ring();
        }
    }
}

impl Reporter for Door {
    fn enabled(&self, level: Level) -> bool {
        self.0.enabled(level)
    }

    fn report(&self, level: Level, event: &Event<'_>) {
        self.0.report(level, event);
    }
}

/// Held by a request until its response is over.
pub(crate) struct Stay {
    site: Arc<Site>,
    admitted: bool,
}

impl Drop for Stay {
    fn drop(&mut self) {
        if self.admitted {
            self.site.errands.release();
        }
        self.site.ring();
    }
}

struct Listed {
    site: Weak<Site>,
    /// `None` when the site was closed.
    roots: Option<Opaque<Obj<Roots>>>,
}

/// All sites. A place whose site is gone is taken by the next one.
static SITES: GvlCell<Vec<Listed>> = GvlCell::new(Vec::new());

/// Answers the place.
fn register(ruby: &Ruby, site: Weak<Site>, roots: Obj<Roots>) -> usize {
    let listed = Listed { site, roots: Some(roots.into()) };
    SITES.with(ruby, |sites| match sites.iter().position(|listed| listed.site.strong_count() == 0) {
        Some(place) => {
            sites[place] = listed;
            place
        }
        None => {
            sites.push(listed);
            sites.len() - 1
        }
    })
}

/// Shows the garbage collector the roots of sites that are in use. It is never collected itself, and has no write
/// barrier, so that each collection looks at it again.
#[derive(TypedData)]
#[magnus(class = "HyperionRs::Native::Registry", free_immediately, mark)]
struct Registry;

impl DataTypeFunctions for Registry {
    fn mark(&self, marker: &gc::Marker) {
        // SAFETY: the garbage collector runs on a thread that has the GVL.
        let ruby = unsafe { Ruby::get_unchecked() };
        SITES.with(&ruby, |sites| {
            for Listed { site, roots } in &*sites {
                // A site that nothing refers to is never referred to again.
                if let Some(roots) = roots.filter(|_| site.strong_count() > 0) {
                    marker.mark(roots);
                }
            }
        });
    }
}

pub(crate) fn define(ruby: &Ruby, native: RModule) -> Result<(), Error> {
    let class = native.define_class("Registry", ruby.class_object())?;
    class.undef_default_alloc_func();
    gvl::settle_class::<Registry>(ruby);
    ruby.gc_register_mark_object(ruby.obj_wrap(Registry));
    Ok(())
}
