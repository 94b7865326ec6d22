//! A proxy carries many users on one connection: what some of them do must not end it for the others.

use std::time::Duration;

use crate::support::client::{Client, block};
use crate::support::{Frame, Harness, get, harness, post, reason};

fn stream(number: u32) -> u32 {
    number * 2 + 1
}

/// A connection on which one user waits for an answer, on stream 1.
async fn with_a_patient_user() -> (Harness, Client) {
    let harness = harness();
    let mut client = harness.client().await;
    client.request(1, &get("/manual")).await;
    (harness, client)
}

/// The patient user is served.
async fn assert_patience_pays(mut harness: Harness, mut client: Client) {
    harness.exchange().await.responder.respond_plain(http::StatusCode::OK);
    assert_eq!(client.response(1).await.status, 200);
    client.shutdown().await;
    // Those who left would not hear an answer.
    while harness.was_called() {}
    harness.idle().await;
}

#[tokio::test(start_paused = true)]
async fn downloads_are_abandoned() {
    let (harness, mut client) = with_a_patient_user().await;
    client.refills = false;
    for number in 1..=3000 {
        client.request(stream(number), &get("/stream/20000")).await;
        client.next_on(stream(number)).await;
        client.send(Frame::reset(stream(number), reason::CANCEL)).await;
    }
    assert_patience_pays(harness, client).await;
}

#[tokio::test(start_paused = true)]
async fn waits_are_abandoned_all_at_once() {
    let (harness, mut client) = with_a_patient_user().await;
    for round in 0..7 {
        let leavers = 1 + round * 127..1 + (round + 1) * 127;
        for number in leavers.clone() {
            client.request(stream(number), &post("/manual")).await;
        }
        let resets: Vec<u8> =
            leavers.flat_map(|number| Frame::reset(stream(number), reason::CANCEL).encode()).collect();
        client.write(&resets).await;
    }
    assert_patience_pays(harness, client).await;
}

#[tokio::test(start_paused = true)]
async fn requests_that_no_browser_makes() {
    let heads: [&[(&str, &str)]; 4] = [
        &[(":method", "GET"), (":scheme", "http"), (":path", "/<script>"), (":authority", "a.test")],
        &[(":method", "GET"), (":scheme", "http"), (":path", "/?q=<script>"), (":authority", "a.test")],
        &[(":method", "GET"), (":scheme", "http"), (":path", "/`id`"), (":authority", "a.test")],
        &[(":method", "GET"), (":scheme", "http"), (":path", "/"), (":authority", "a.test:80:80")],
    ];
    let (harness, mut client) = with_a_patient_user().await;
    for number in 1..=3000 {
        let head = block(heads[number as usize % heads.len()]);
        client.send(Frame::headers(stream(number), head).end()).await;
        assert_eq!(client.response(stream(number)).await.status, 400);
    }
    assert_patience_pays(harness, client).await;
}

#[tokio::test(start_paused = true)]
async fn uploads_are_abandoned() {
    let (harness, mut client) = with_a_patient_user().await;
    for number in 1..=3000 {
        client.open(stream(number), &post("/echo")).await;
        client.send(Frame::data(stream(number), *b"the begin")).await;
        client.send(Frame::reset(stream(number), reason::CANCEL)).await;
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert_patience_pays(harness, client).await;
}
