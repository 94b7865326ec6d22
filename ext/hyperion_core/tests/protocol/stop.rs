//! The graceful stop: GOAWAY in two steps (RFC 9113, section 6.8), and nothing lost that was accepted.

use std::time::Duration;

use tokio::time::Instant;

use crate::support::app::{ok, push};
use crate::support::{Client, Frame, Harness, Kind, get, harness, post, reason};

async fn begin_stop(harness: &Harness) -> tokio::task::JoinHandle<Duration> {
    let service = harness.service.clone();
    let stop = tokio::spawn(async move {
        let begin = Instant::now();
        service.stop().await;
        begin.elapsed()
    });
    tokio::task::yield_now().await;
    stop
}

/// The first GOAWAY and the PING that finds out when the client has heard it, which is answered.
async fn first_goaway(client: &mut Client) {
    let goaway = client.goaway().await;
    assert_eq!((goaway.reason(), goaway.last_stream()), (reason::NO_ERROR, 0x7fff_ffff));
    let ping = client.next().await.unwrap();
    assert_eq!(ping.kind, Kind::PING);
    client.send(ping.flags(0x1)).await;
}

#[tokio::test(start_paused = true)]
async fn an_idle_connection_closes_at_once() {
    let harness = harness();
    let mut client = harness.client().await;
    client.assert_usable(1).await;
    let stop = begin_stop(&harness).await;
    first_goaway(&mut client).await;
    let last = client.goaway().await;
    assert_eq!((last.reason(), last.last_stream()), (reason::NO_ERROR, 1));
    assert!(client.rest().await.is_empty());
    drop(client);
    assert!(stop.await.unwrap() < Duration::from_millis(100));
}

#[tokio::test(start_paused = true)]
async fn the_stop_waits_until_the_last_frames_can_have_been_read() {
    let harness = harness();
    let mut client = harness.client().await;
    let stop = begin_stop(&harness).await;
    first_goaway(&mut client).await;
    client.goaway().await;
    // Unread at the server's end, these would make its socket send a reset when it is closed.
    client.send(Frame::ping([0; 8])).await;
    assert!(!stop.is_finished());
    assert!(client.rest().await.is_empty());
    assert!(stop.await.unwrap() < Duration::from_secs(1));
}

#[tokio::test(start_paused = true)]
async fn an_idle_client_that_does_not_answer_is_not_waited_for() {
    let harness = harness();
    let _client = harness.client().await;
    assert!(begin_stop(&harness).await.await.unwrap() < Duration::from_secs(1));
}

#[tokio::test(start_paused = true)]
async fn a_client_without_a_preface_is_not_waited_for() {
    let harness = harness();
    let _client = harness.raw_client();
    tokio::task::yield_now().await;
    assert!(begin_stop(&harness).await.await.unwrap() < Duration::from_secs(1));
}

#[tokio::test(start_paused = true)]
async fn a_client_that_has_connected_before_and_greets_now_is_served() {
    let harness = harness();
    let mut client = harness.raw_client();
    tokio::task::yield_now().await;
    let stop = begin_stop(&harness).await;
    client.handshake(&[]).await;
    client.request(1, &get("/")).await;
    assert_eq!(client.response(1).await.status, 200);
    client.rest().await;
    assert!(stop.await.unwrap() < Duration::from_secs(1));
}

#[tokio::test(start_paused = true)]
async fn what_is_in_flight_is_finished() {
    let mut harness = harness();
    let mut client = harness.client().await;
    client.request(1, &get("/manual")).await;
    client.request(3, &get("/manual")).await;
    client.open(5, &post("/echo")).await;
    let (first, second) = (harness.exchange().await, harness.exchange().await);
    let stop = begin_stop(&harness).await;
    first_goaway(&mut client).await;
    let last = client.goaway().await;
    assert_eq!(last.last_stream(), 5);
    tokio::time::sleep(Duration::from_secs(10)).await;
    first.responder.respond_full(ok(), "done".into());
    assert_eq!(client.response(1).await.body, b"done");
    let sender = second.responder.respond_streaming(ok());
    push(&sender, "streamed".into()).await.unwrap();
    sender.finish(None);
    assert_eq!(client.response(3).await.body, b"streamed");
    client.send(Frame::data(5, *b"uploaded").end()).await;
    assert_eq!(client.response(5).await.body, b"uploaded");
    assert!(client.rest().await.is_empty());
    assert!(stop.await.unwrap() < Duration::from_secs(11));
}

#[tokio::test(start_paused = true)]
async fn a_request_that_crosses_the_first_goaway_is_served_and_later_ones_are_not() {
    let mut harness = harness();
    let mut client = harness.client().await;
    client.request(1, &get("/manual")).await;
    let held = harness.exchange().await;
    begin_stop(&harness).await;
    // Sent before the client has heard of the end.
    client.request(3, &get("/")).await;
    first_goaway(&mut client).await;
    assert_eq!(client.response(3).await.status, 200);
    assert_eq!(client.goaway().await.last_stream(), 3);
    client.request(5, &get("/manual")).await;
    assert!(client.is_silent_for(Duration::from_secs(5)).await);
    assert!(!harness.was_called());
    drop(held);
    assert_eq!(client.response(1).await.status, 500);
    client.rest().await;
}

#[tokio::test(start_paused = true)]
async fn a_slow_client_gets_the_rest_of_what_was_written_for_it() {
    const SIZE: usize = 60_000;
    const INITIAL_WINDOW_SIZE: u16 = 4;
    let harness = harness();
    let mut client = harness.narrow_client(1024);
    client.refills = false;
    client.handshake(&[(INITIAL_WINDOW_SIZE, 1 << 20)]).await;
    client.request(1, &get(&format!("/bytes/{SIZE}"))).await;
    assert_eq!(client.next_on(1).await.kind, Kind::HEADERS);
    let stop = begin_stop(&harness).await;
    let mut received = 0;
    while received < SIZE {
        tokio::time::sleep(Duration::from_secs(2)).await;
        received += client.next_on(1).await.payload.len();
    }
    first_goaway(&mut client).await;
    client.rest().await;
    assert!(stop.await.unwrap() < Duration::from_secs(10));
}

#[tokio::test(start_paused = true)]
async fn what_does_not_end_is_dropped_after_the_timeout() {
    let mut harness = harness();
    let mut client = harness.client().await;
    client.request(1, &get("/manual")).await;
    let held = harness.exchange().await;
    let took = begin_stop(&harness).await.await.unwrap();
    assert!((30..32).contains(&took.as_secs()), "{took:?}");
    client.rest().await;
    held.responder.respond_full(ok(), "too late".into());
    harness.idle().await;
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_comes_during_the_stop_is_closed() {
    let mut harness = harness();
    let mut client = harness.client().await;
    client.request(1, &get("/manual")).await;
    let _held = harness.exchange().await;
    begin_stop(&harness).await;
    let mut late = harness.raw_client();
    assert!(late.rest().await.is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_client_that_says_goodbye_gets_what_it_asked_for() {
    let mut harness = harness();
    let mut client = harness.client().await;
    client.request(1, &get("/manual")).await;
    let held = harness.exchange().await;
    client.send(Frame::new(Kind::GOAWAY, 0, 0, [0; 8])).await;
    assert!(client.is_silent_for(Duration::from_secs(5)).await);
    held.responder.respond_full(ok(), "done".into());
    assert_eq!(client.response(1).await.body, b"done");
    assert!(client.rest().await.iter().all(|frame| frame.kind == Kind::GOAWAY && frame.reason() == 0));
}
