//! What a server counts. Recorded on whatever thread the fact comes to light, without a lock; one [`Metrics`] can serve
//! any number of services.
//!
//! A request that came is malformed (`requests_rejected`), turned away (`h2_streams_refused`), or taken
//! (`requests_total`). One that was taken ends in exactly one response status, or without a response: when the client
//! leaves before it, or when its body stalls or turns out to be malformed over HTTP/2; a malformed body counts as rejected
//! as well. Statuses are those of all answers, also to what is malformed, turned away or told to come by https. So there
//! are as many as there are lines with a status in the access log.

mod histogram;
mod text;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering::Relaxed};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

pub use histogram::Distribution;
use histogram::Histogram;

/// A number that is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Metric {
    /// Connections that came, before their TLS handshake.
    ConnectionsAccepted,
    /// Those of them that are open.
    ConnectionsActive,
    /// Requests that were valid and admitted.
    RequestsTotal,
    /// Those of them whose response is not over.
    RequestsInFlight,
    /// Malformed requests, which the application never saw.
    RequestsRejected,
    /// Requests that were answered REFUSED_STREAM, or 503 over HTTP/1.1: beyond a cap, and safe to retry.
    H2StreamsRefused,
    /// Requests for which the application raised, or answered what is no response.
    AppErrors,
    /// Handlers that encode headers natively.
    H2CodecNativeSelected,
    /// Handlers that were told not to.
    H2CodecFallbackSelected,
}

/// Time that is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Timer {
    /// From the complete head of a request to the end of its response.
    RequestDuration,
    /// From the moment when the application could be called to the one when a thread of its own takes the request.
    QueueWait,
    /// In the application's `call`.
    AppTime,
}

/// Everything that is counted, by the names that users know.
#[derive(Debug)]
pub struct Metrics {
    numbers: Numbers,
    statuses: Box<[AtomicU64]>,
    timers: [Histogram; Timer::ALL.len()],
    others: Mutex<Others>,
}

#[derive(Debug, Default)]
#[repr(align(64))]
struct Numbers([AtomicI64; Metric::ALL.len()]);

/// What others count here, under names of their own.
#[derive(Debug, Default)]
struct Others {
    numbers: BTreeMap<String, i64>,
    dispatched: BTreeMap<String, u64>,
}

/// All values at one moment.
#[derive(Clone, Debug, PartialEq)]
pub struct Snapshot {
    /// The numbers of ours.
    pub numbers: Vec<(Metric, i64)>,
    /// Requests that the application was called for, by the process that did.
    pub dispatched: BTreeMap<String, u64>,
    /// Final responses that were begun, whoever gave them, by status.
    pub statuses: Vec<(u16, u64)>,
    /// The times of ours.
    pub timers: Vec<(Timer, Distribution)>,
    /// Numbers that others count here.
    pub others: BTreeMap<String, i64>,
}

const FIRST_STATUS: u16 = 100;
const STATUSES: usize = 900;

impl Metric {
    /// All of them.
    pub const ALL: [Metric; 9] = [
        Metric::ConnectionsAccepted,
        Metric::ConnectionsActive,
        Metric::RequestsTotal,
        Metric::RequestsInFlight,
        Metric::RequestsRejected,
        Metric::H2StreamsRefused,
        Metric::AppErrors,
        Metric::H2CodecNativeSelected,
        Metric::H2CodecFallbackSelected,
    ];

    /// Its name, without the prefix that it has elsewhere.
    pub fn name(self) -> &'static str {
        match self {
            Metric::ConnectionsAccepted => "connections_accepted",
            Metric::ConnectionsActive => "connections_active",
            Metric::RequestsTotal => "requests_total",
            Metric::RequestsInFlight => "requests_in_flight",
            Metric::RequestsRejected => "requests_rejected",
            Metric::H2StreamsRefused => "h2_streams_refused",
            Metric::AppErrors => "app_errors",
            Metric::H2CodecNativeSelected => "h2_codec_native_selected",
            Metric::H2CodecFallbackSelected => "h2_codec_fallback_selected",
        }
    }

    /// Whether it goes down as well as up.
    pub fn is_gauge(self) -> bool {
        matches!(self, Metric::ConnectionsActive | Metric::RequestsInFlight)
    }
}

impl Timer {
    /// All of them.
    pub const ALL: [Timer; 3] = [Timer::RequestDuration, Timer::QueueWait, Timer::AppTime];

    /// Its name, without the prefix that it has elsewhere.
    pub fn name(self) -> &'static str {
        match self {
            Timer::RequestDuration => "request_duration",
            Timer::QueueWait => "queue_wait",
            Timer::AppTime => "app_time",
        }
    }
}

impl Default for Metrics {
    fn default() -> Self {
        Metrics {
            numbers: Numbers::default(),
            statuses: (0..STATUSES).map(|_| AtomicU64::new(0)).collect(),
            timers: Default::default(),
            others: Mutex::default(),
        }
    }
}

impl Metrics {
    /// Adds to a number.
    pub fn add(&self, metric: Metric, by: i64) {
        self.number(metric).fetch_add(by, Relaxed);
    }

    /// The value of a number.
    pub fn get(&self, metric: Metric) -> i64 {
        self.number(metric).load(Relaxed)
    }

    /// Adds to the number of this name, one of ours or of somebody else's.
    pub fn add_named(&self, name: &str, by: i64) {
        match Metric::ALL.into_iter().find(|metric| metric.name() == name) {
            Some(metric) => self.add(metric, by),
            None => *self.others().numbers.entry(name.to_owned()).or_default() += by,
        }
    }

    /// Counts a response.
    pub fn count_status(&self, status: u16) {
        if let Some(count) = self.statuses.get(usize::from(status.wrapping_sub(FIRST_STATUS))) {
            count.fetch_add(1, Relaxed);
        }
    }

    /// Counts a request that somebody else has dispatched.
    pub fn count_dispatched(&self, worker_id: &str) {
        *self.others().dispatched.entry(worker_id.to_owned()).or_default() += 1;
    }

    /// Takes a duration. That of [`Timer::QueueWait`] stands for a request that was dispatched.
    pub fn observe(&self, timer: Timer, duration: Duration) {
        self.timers[timer as usize].observe(duration);
    }

    /// All values. Those of requests that change meanwhile need not agree.
    pub fn snapshot(&self) -> Snapshot {
        let others = self.others();
        let mut dispatched = others.dispatched.clone();
        let own = self.timers[Timer::QueueWait as usize].count();
        if own > 0 {
            *dispatched.entry(std::process::id().to_string()).or_default() += own;
        }
        let statuses = self.statuses.iter().zip(FIRST_STATUS..).map(|(n, status)| (status, n.load(Relaxed)));
        let timers = Timer::ALL.into_iter().map(|timer| (timer, self.timers[timer as usize].distribution()));
        Snapshot {
            numbers: Metric::ALL.into_iter().map(|metric| (metric, self.get(metric))).collect(),
            dispatched,
            statuses: statuses.filter(|(_, count)| *count > 0).collect(),
            timers: timers.collect(),
            others: others.numbers.clone(),
        }
    }

    fn number(&self, metric: Metric) -> &AtomicI64 {
        &self.numbers.0[metric as usize]
    }

    fn others(&self) -> MutexGuard<'_, Others> {
        self.others.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_go_by_their_names() {
        let metrics = Metrics::default();
        for metric in Metric::ALL {
            metrics.add_named(metric.name(), 2);
            metrics.add(metric, -1);
        }
        metrics.add_named("cache_hits", 3);
        let snapshot = metrics.snapshot();
        assert_eq!(snapshot.numbers, Metric::ALL.map(|metric| (metric, 1)));
        assert_eq!(snapshot.others, BTreeMap::from([("cache_hits".into(), 3)]));
    }

    #[test]
    fn only_statuses_that_were_sent_are_told() {
        let metrics = Metrics::default();
        for status in [200, 200, 999, 100, 99, 1000, 0] {
            metrics.count_status(status);
        }
        assert_eq!(metrics.snapshot().statuses, [(100, 1), (200, 2), (999, 1)]);
    }

    #[test]
    fn requests_are_dispatched_by_processes() {
        let metrics = Metrics::default();
        assert!(metrics.snapshot().dispatched.is_empty());
        metrics.observe(Timer::QueueWait, Duration::from_millis(1));
        let own = std::process::id().to_string();
        metrics.count_dispatched(&own);
        metrics.count_dispatched("w1");
        assert_eq!(metrics.snapshot().dispatched, BTreeMap::from([(own, 2), ("w1".into(), 1)]));
    }

    #[test]
    fn nothing_is_lost_between_threads() {
        let metrics = Metrics::default();
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..10_000 {
                        metrics.add(Metric::RequestsTotal, 1);
                        metrics.count_status(204);
                        metrics.observe(Timer::AppTime, Duration::from_nanos(25));
                    }
                });
            }
        });
        let Snapshot { statuses, timers, .. } = metrics.snapshot();
        assert_eq!(metrics.get(Metric::RequestsTotal), 40_000);
        assert_eq!(statuses, [(204, 40_000)]);
        assert_eq!((timers[2].1.count, timers[2].1.sum), (40_000, 0.001));
    }
}
