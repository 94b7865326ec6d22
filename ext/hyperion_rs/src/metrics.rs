//! `HyperionRs::Metrics`: the core's counters, as Ruby sees them.

use std::sync::{Arc, Mutex, PoisonError};

use hyperion_core::metrics::{Distribution, Metrics as Counters, Snapshot};
use magnus::prelude::*;
use magnus::{Error, RHash, RModule, Ruby, Symbol, TypedData, Value, method, scan_args};

use crate::fork::Ours;
use crate::gvl;

/// Counters, for any number of servers. A child process counts from zero, under its own process id.
#[derive(TypedData)]
#[magnus(class = "HyperionRs::Native::Metrics", free_immediately)]
pub(crate) struct Metrics {
    /// The lock is held only by threads with the GVL, one of which forks.
    counters: Mutex<Ours<Arc<Counters>>>,
}

impl magnus::DataTypeFunctions for Metrics {}

impl Default for Metrics {
    fn default() -> Self {
        Metrics { counters: Mutex::new(Ours::new(Arc::default())) }
    }
}

impl Metrics {
    /// What this process counts with.
    pub(crate) fn counters(&self) -> Arc<Counters> {
        let mut counters = self.counters.lock().unwrap_or_else(PoisonError::into_inner);
        if counters.is_elsewhere() {
            *counters = Ours::new(Arc::default());
        }
        Arc::clone(&counters)
    }

    /// `increment(name, by = 1)`
    fn increment(&self, arguments: &[Value]) -> Result<(), Error> {
        self.add(arguments, 1)
    }

    /// `decrement(name, by = 1)`
    fn decrement(&self, arguments: &[Value]) -> Result<(), Error> {
        self.add(arguments, -1)
    }

    fn add(&self, arguments: &[Value], sign: i64) -> Result<(), Error> {
        let arguments = scan_args::scan_args::<_, _, (), (), (), ()>(arguments)?;
        let ((name,), (by,)): ((Value,), (Option<i64>,)) = (arguments.required, arguments.optional);
        self.counters().add_named(&text(name)?, by.unwrap_or(1).saturating_mul(sign));
        Ok(())
    }

    fn increment_status(&self, status: Value) -> Result<(), Error> {
        self.counters().count_status(status.funcall("to_i", ())?);
        Ok(())
    }

    fn tick_worker_request(&self, worker_id: Value) -> Result<(), Error> {
        self.counters().count_dispatched(&text(worker_id)?);
        Ok(())
    }

    /// All values by name.
    fn snapshot(ruby: &Ruby, rb_self: &Self) -> Result<RHash, Error> {
        let Snapshot { numbers, dispatched, statuses, timers, others } = rb_self.counters().snapshot();
        let hash = ruby.hash_new();
        // Before ours, which win.
        for (name, value) in others {
            hash.aset(ruby.to_symbol(&name), value)?;
        }
        for (metric, value) in numbers {
            hash.aset(ruby.to_symbol(metric.name()), value)?;
        }
        hash.aset(ruby.to_symbol("requests_dispatch_total"), ruby.hash_from_iter(dispatched))?;
        hash.aset(ruby.to_symbol("responses_status_total"), ruby.hash_from_iter(statuses))?;
        for (timer, distribution) in timers {
            hash.aset(ruby.to_symbol(timer.name()), histogram(ruby, &distribution)?)?;
        }
        Ok(hash)
    }

    /// The text exposition format of Prometheus.
    fn to_prometheus(&self) -> String {
        self.counters().to_prometheus()
    }
}

/// Count, sum in seconds, and cumulative counts by upper bound.
fn histogram(ruby: &Ruby, distribution: &Distribution) -> Result<RHash, Error> {
    let Distribution { count, sum, buckets } = distribution;
    let bounds = ruby.hash_from_iter(buckets.iter().copied());
    bounds.aset(f64::INFINITY, *count)?;
    let hash = ruby.hash_new();
    hash.aset(ruby.to_symbol("count"), *count)?;
    hash.aset(ruby.to_symbol("sum"), *sum)?;
    hash.aset(ruby.to_symbol("buckets"), bounds)?;
    Ok(hash)
}

/// A name, which is a Symbol as a rule.
fn text(value: Value) -> Result<String, Error> {
    match Symbol::from_value(value) {
        Some(symbol) => Ok(symbol.name()?.into_owned()),
        None => value.funcall("to_s", ()),
    }
}

pub(crate) fn define(ruby: &Ruby, native: RModule) -> Result<(), Error> {
    let class = native.define_class("Metrics", ruby.class_object())?;
    class.define_alloc_func::<Metrics>();
    gvl::settle_class::<Metrics>(ruby);
    class.define_method("increment", method!(Metrics::increment, -1))?;
    class.define_method("decrement", method!(Metrics::decrement, -1))?;
    class.define_method("increment_status", method!(Metrics::increment_status, 1))?;
    class.define_method("tick_worker_request", method!(Metrics::tick_worker_request, 1))?;
    class.define_method("snapshot", method!(Metrics::snapshot, 0))?;
    class.define_method("to_prometheus", method!(Metrics::to_prometheus, 0))
}
