//! What is counted, against what the client was told.

use std::collections::BTreeMap;
use std::time::Duration;

use http::StatusCode;
use hyperion_core::Config;
use hyperion_core::metrics::{Metric, Snapshot, Timer};

use crate::support::app::ok;
use crate::support::{Frame, Harness, get, harness, harness_with, post, reason};

fn number(harness: &Harness, metric: Metric) -> i64 {
    harness.service.observer().metrics.get(metric)
}

fn snapshot(harness: &Harness) -> Snapshot {
    harness.service.observer().metrics.snapshot()
}

fn statuses(harness: &Harness) -> BTreeMap<u16, u64> {
    snapshot(harness).statuses.into_iter().collect()
}

fn count(harness: &Harness, timer: Timer) -> u64 {
    snapshot(harness).timers.iter().find(|(other, _)| *other == timer).unwrap().1.count
}

#[tokio::test(start_paused = true)]
async fn connections_are_counted_while_they_are_open() {
    let harness = harness();
    let first = harness.client().await;
    let second = harness.client().await;
    assert_eq!(number(&harness, Metric::ConnectionsActive), 2);
    drop((first, second));
    let closed = async {
        while number(&harness, Metric::ConnectionsActive) > 0 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(600), closed).await.expect("the end of both");
    assert_eq!(number(&harness, Metric::ConnectionsAccepted), 2);
}

#[tokio::test(start_paused = true)]
async fn a_request_is_in_flight_until_its_response_is_over() {
    let mut harness = harness();
    let mut client = harness.client().await;
    client.request(1, &get("/manual")).await;
    let sender = harness.exchange().await.responder.respond_streaming(ok());
    assert_eq!(number(&harness, Metric::RequestsTotal), 1);
    assert_eq!(number(&harness, Metric::RequestsInFlight), 1);
    sender.finish(None);
    client.response(1).await;
    harness.outcome().await;
    assert_eq!(number(&harness, Metric::RequestsInFlight), 0);
    assert_eq!(statuses(&harness), BTreeMap::from([(200, 1)]));
    assert_eq!(count(&harness, Timer::RequestDuration), 1);
}

#[tokio::test(start_paused = true)]
async fn responses_of_ours_count_as_well() {
    let mut harness = harness_with(|config: &mut Config| config.limits.max_body_size = 10);
    let mut client = harness.client().await;
    client.open(1, &[post("/echo"), vec![("content-length", "11")]].concat()).await;
    assert_eq!(client.response(1).await.status, 413);
    client.request(3, &get("/manual")).await;
    drop(harness.exchange().await);
    assert_eq!(client.response(3).await.status, 500);
    client.request(5, &get("/manual")).await;
    harness.exchange().await.responder.respond_plain(StatusCode::IM_A_TEAPOT);
    client.response(5).await;
    assert_eq!(statuses(&harness), BTreeMap::from([(413, 1), (418, 1), (500, 1)]));
}

#[tokio::test(start_paused = true)]
async fn what_is_rejected_is_no_request_of_the_application() {
    let harness = harness();
    let mut client = harness.client().await;
    let bad = |name, value| [get("/"), vec![(name, value)]].concat();
    // Two that we find, two that the `h2` crate does.
    let heads =
        [bad("te", "gzip"), bad("content-length", "x"), bad("connection", "close"), get("/")[1..].to_vec()];
    for (head, stream) in heads.iter().zip((1..).step_by(2)) {
        client.request(stream, head).await;
        assert_eq!(client.reset_of(stream).await, reason::PROTOCOL_ERROR);
    }
    assert_eq!(number(&harness, Metric::RequestsRejected), 4);
    assert_eq!(number(&harness, Metric::RequestsTotal), 0);
    assert_eq!(statuses(&harness), BTreeMap::new());
}

async fn assert_refusals(change: impl FnOnce(&mut Config)) {
    let mut harness = harness_with(change);
    let mut client = harness.client().await;
    client.request(1, &get("/manual")).await;
    let held = harness.exchange().await;
    for stream in [3, 5] {
        client.request(stream, &get("/manual")).await;
        assert_eq!(client.reset_of(stream).await, reason::REFUSED_STREAM);
    }
    drop(held);
    assert_eq!(number(&harness, Metric::H2StreamsRefused), 2);
    assert_eq!(number(&harness, Metric::RequestsTotal), 1);
}

#[tokio::test(start_paused = true)]
async fn refusals_are_counted_whoever_refuses() {
    assert_refusals(|config| config.limits.max_in_flight = 1).await;
    // The `h2` crate does, and says so to nobody but the client.
    assert_refusals(|config| config.http2.max_concurrent_streams = 1).await;
}

#[tokio::test(start_paused = true)]
async fn a_request_that_its_client_resets_has_no_status() {
    let mut harness = harness();
    let mut client = harness.client().await;
    client.request(1, &get("/manual")).await;
    let exchange = harness.exchange().await;
    client.send(Frame::reset(1, reason::CANCEL)).await;
    client.assert_usable(3).await;
    exchange.responder.respond_empty(ok());
    harness.idle().await;
    assert_eq!(statuses(&harness), BTreeMap::from([(200, 1)]));
    assert_eq!(count(&harness, Timer::RequestDuration), 2);
}

#[tokio::test(start_paused = true)]
async fn the_wait_for_a_thread_is_measured_when_one_takes_the_request() {
    let mut harness = harness();
    let mut client = harness.client().await;
    client.request(1, &get("/manual")).await;
    let mut exchange = harness.exchange().await;
    assert_eq!(count(&harness, Timer::QueueWait), 0);
    let queued = exchange.responder.queued_at();
    assert_eq!(queued, exchange.request.received_at);
    let started = exchange.responder.start();
    let snapshot = snapshot(&harness);
    let wait = &snapshot.timers.iter().find(|(timer, _)| *timer == Timer::QueueWait).unwrap().1;
    assert_eq!((wait.count, wait.sum), (1, started.duration_since(queued).as_secs_f64()));
    assert_eq!(snapshot.dispatched, BTreeMap::from([(std::process::id().to_string(), 1)]));
}

#[tokio::test(start_paused = true)]
async fn an_upload_does_not_wait_for_a_thread_before_it_is_complete() {
    let mut harness = harness();
    let mut client = harness.client().await;
    client.open(1, &post("/manual")).await;
    client.assert_usable(3).await;
    client.send(Frame::data(1, *b"x").end()).await;
    let exchange = harness.exchange().await;
    assert!(exchange.responder.queued_at() > exchange.request.received_at);
}
