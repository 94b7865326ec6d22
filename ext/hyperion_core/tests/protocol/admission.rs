//! Admission that is left to the handler.

use std::sync::Arc;
use std::time::Duration;

use hyperion_core::metrics::Metric;

use crate::support::app::{late_harness, ok};
use crate::support::{Frame, get, reason};

#[tokio::test(start_paused = true)]
async fn what_is_held_for_a_request_is_dropped_once_however_it_ends() {
    let mut harness = late_harness();
    let mut client = harness.client().await;
    let held = Arc::new(());
    let admit = |exchange: &mut hyperion_core::Exchange| {
        exchange.responder.admit();
        exchange.responder.hold(Box::new(held.clone()));
    };

    client.request(1, &get("/manual")).await;
    let mut answered = harness.exchange().await;
    admit(&mut answered);
    assert_eq!(Arc::strong_count(&held), 2);
    answered.responder.respond_empty(ok());
    assert_eq!(client.response(1).await.status, 200);

    client.request(3, &get("/manual")).await;
    let mut forgotten = harness.exchange().await;
    admit(&mut forgotten);
    drop(forgotten);
    assert_eq!(client.response(3).await.status, 500);

    client.request(5, &get("/manual")).await;
    let mut reset = harness.exchange().await;
    admit(&mut reset);
    client.send(Frame::reset(5, reason::CANCEL)).await;
    drop(reset);

    client.request(7, &get("/manual")).await;
    let mut lost = harness.exchange().await;
    admit(&mut lost);
    drop(client);
    drop(lost);
    harness.idle().await;
    assert_eq!(Arc::strong_count(&held), 1);
}

#[tokio::test(start_paused = true)]
async fn a_response_that_comes_after_the_service_has_gone_is_dropped() {
    let mut harness = late_harness();
    let mut client = harness.client().await;
    client.request(1, &get("/manual")).await;
    let mut exchange = harness.exchange().await;
    let held = Arc::new(());
    exchange.responder.hold(Box::new(held.clone()));
    drop(client);
    drop(harness);
    // The connection ends.
    tokio::time::sleep(Duration::from_secs(60)).await;
    exchange.responder.respond_empty(ok());
    assert_eq!(Arc::strong_count(&held), 1);
}

#[tokio::test(start_paused = true)]
async fn a_request_that_is_turned_away_is_refused_and_not_counted_as_taken() {
    let mut harness = late_harness();
    let mut client = harness.client().await;
    client.request(1, &get("/manual")).await;
    harness.exchange().await.responder.refuse();
    assert_eq!(client.reset_of(1).await, reason::REFUSED_STREAM);

    client.request(3, &get("/manual")).await;
    let mut exchange = harness.exchange().await;
    exchange.responder.admit();
    exchange.responder.respond_empty(ok());
    assert_eq!(client.response(3).await.status, 200);
    harness.idle().await;
    let metrics = &harness.service.observer().metrics;
    let counts = [Metric::RequestsTotal, Metric::H2StreamsRefused, Metric::RequestsInFlight];
    assert_eq!(counts.map(|metric| metrics.get(metric)), [1, 1, 0]);
}
