//! The text exposition format of Prometheus, version 0.0.4. The names are those of the server that this one replaces:
//! a dashboard that reads `hyperion_app_errors` goes on to.

use prometheus::TextEncoder;
use prometheus::proto::{
    Bucket, Counter, Gauge, Histogram, LabelPair, Metric as Sample, MetricFamily, MetricType,
};

use super::{Distribution, Metric, Metrics, Snapshot, Timer};

/// Before every name.
const PREFIX: &str = "hyperion_";
/// Counted by labels.
const DISPATCHED: &str = "requests_dispatch_total";
const STATUSES: &str = "responses_status_total";

impl Metrics {
    /// The media type of [`Metrics::to_prometheus`].
    pub const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

    /// All values, for a scraper.
    pub fn to_prometheus(&self) -> String {
        let families = families(&self.snapshot());
        // It fails for a family without a name or without samples; there are none.
        TextEncoder::new().encode_to_string(&families).unwrap_or_default()
    }
}

fn families(snapshot: &Snapshot) -> Vec<MetricFamily> {
    let Snapshot { numbers, dispatched, statuses, timers, others } = snapshot;
    let mut families: Vec<_> = numbers.iter().map(|&(metric, value)| number(metric, value)).collect();
    if !dispatched.is_empty() {
        let samples = dispatched.iter().map(|(id, &count)| counter(&[("worker_id", id)], count as f64));
        let help = "Requests that the application was called for, by process id.";
        families.push(family(DISPATCHED, help, MetricType::COUNTER, samples.collect()));
    }
    if !statuses.is_empty() {
        let samples =
            statuses.iter().map(|(status, count)| counter(&[("status", &status.to_string())], *count as f64));
        let help = "Final responses that were begun, by status.";
        families.push(family(STATUSES, help, MetricType::COUNTER, samples.collect()));
    }
    families.extend(timers.iter().map(|(timer, distribution)| histogram(*timer, distribution)));
    let others = others.iter().filter(|(name, _)| is_name(name));
    families.extend(others.map(|(name, &value)| {
        family(name, "A number of the application.", MetricType::GAUGE, vec![gauge(value as f64)])
    }));
    families
}

fn number(metric: Metric, value: i64) -> MetricFamily {
    let help = match metric {
        Metric::ConnectionsAccepted => "Connections accepted.",
        Metric::ConnectionsActive => "Connections open now.",
        Metric::RequestsTotal => "Requests taken: valid, and admitted.",
        Metric::RequestsInFlight => "Requests taken whose response is not over.",
        Metric::RequestsRejected => "Malformed requests, answered with PROTOCOL_ERROR, 400 and the like.",
        Metric::H2StreamsRefused => "Requests beyond a cap, answered with REFUSED_STREAM or 503.",
        Metric::AppErrors => "Requests for which the application raised, or answered what is no response.",
        Metric::H2CodecNativeSelected => "Handlers that encode headers natively.",
        Metric::H2CodecFallbackSelected => "Handlers that were told not to encode headers natively.",
    };
    match metric.is_gauge() {
        true => family(metric.name(), help, MetricType::GAUGE, vec![gauge(value as f64)]),
        false => family(metric.name(), help, MetricType::COUNTER, vec![counter(&[], value as f64)]),
    }
}

fn histogram(timer: Timer, distribution: &Distribution) -> MetricFamily {
    let help = match timer {
        Timer::RequestDuration => "From a request's head to the end of its response, in seconds.",
        Timer::QueueWait => "From when the application could be called to when its thread took the request.",
        Timer::AppTime => "In the application's call, in seconds.",
    };
    let mut histogram = Histogram::default();
    histogram.set_sample_count(distribution.count);
    histogram.set_sample_sum(distribution.sum);
    let buckets = distribution.buckets.iter().map(|&(bound, count)| {
        let mut bucket = Bucket::default();
        bucket.set_upper_bound(bound);
        bucket.set_cumulative_count(count);
        bucket
    });
    histogram.set_bucket(buckets.collect());
    let mut sample = Sample::default();
    sample.set_histogram(histogram);
    family(&format!("{}_seconds", timer.name()), help, MetricType::HISTOGRAM, vec![sample])
}

fn family(name: &str, help: &str, kind: MetricType, samples: Vec<Sample>) -> MetricFamily {
    let mut family = MetricFamily::default();
    family.set_name(format!("{PREFIX}{name}"));
    family.set_help(help.into());
    family.set_field_type(kind);
    family.set_metric(samples);
    family
}

fn counter(labels: &[(&str, &str)], value: f64) -> Sample {
    let pair = |&(name, value): &(&str, &str)| {
        let mut pair = LabelPair::default();
        pair.set_name(name.into());
        pair.set_value(value.into());
        pair
    };
    let mut counter = Counter::default();
    counter.set_value(value);
    let mut sample = Sample::from_label(labels.iter().map(pair).collect());
    sample.set_counter(counter);
    sample
}

fn gauge(value: f64) -> Sample {
    let mut gauge = Gauge::default();
    gauge.set_value(value);
    Sample::from_gauge(gauge)
}

/// Whether it can be the rest of a name, after the prefix: a scraper refuses everything if one name is there twice.
fn is_name(name: &str) -> bool {
    let is_ours = || {
        let mut timers = Timer::ALL.into_iter().map(Timer::name);
        [DISPATCHED, STATUSES].contains(&name)
            || timers.any(|timer| name.strip_prefix(timer).is_some_and(|rest| rest.starts_with("_seconds")))
    };
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    !name.is_empty() && name.bytes().all(is_plain) && !is_ours()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn every_family_has_help_and_a_type() {
        let metrics = Metrics::default();
        metrics.add(Metric::ConnectionsActive, 2);
        metrics.count_status(200);
        metrics.count_dispatched("w\"1");
        metrics.add_named("cache_hits", 5);
        for name in ["no name", "requests_dispatch_total", "app_time_seconds", "app_time_seconds_count"] {
            metrics.add_named(name, 7);
        }
        metrics.observe(Timer::AppTime, Duration::from_millis(300));
        let text = metrics.to_prometheus();
        let lines: Vec<_> = text.lines().collect();
        for line in [
            "# TYPE hyperion_requests_total counter",
            "hyperion_requests_total 0",
            "# TYPE hyperion_connections_active gauge",
            "hyperion_connections_active 2",
            "hyperion_responses_status_total{status=\"200\"} 1",
            "hyperion_requests_dispatch_total{worker_id=\"w\\\"1\"} 1",
            "# TYPE hyperion_app_time_seconds histogram",
            "hyperion_app_time_seconds_bucket{le=\"0.25\"} 0",
            "hyperion_app_time_seconds_bucket{le=\"0.5\"} 1",
            "hyperion_app_time_seconds_bucket{le=\"+Inf\"} 1",
            "hyperion_app_time_seconds_sum 0.3",
            "hyperion_app_time_seconds_count 1",
            "hyperion_cache_hits 5",
        ] {
            assert!(lines.contains(&line), "{line} in\n{text}");
        }
        assert!(!text.contains("no name") && !text.contains(" 7\n"), "{text}");
        for name in lines.iter().filter_map(|line| line.strip_prefix("# TYPE ")?.split(' ').next()) {
            assert!(text.contains(&format!("# HELP {name} ")), "{name}");
        }
    }
}
