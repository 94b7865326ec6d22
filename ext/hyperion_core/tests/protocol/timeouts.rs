//! Every timeout: what a peer that does not move is told, and when.

use std::time::Duration;

use hyperion_core::body::{BodyError, RequestBody};
use hyperion_core::response::Outcome;
use tokio::time::Instant;

use crate::support::app::read;
use crate::support::client::block;
use crate::support::frame::PREFACE;
use crate::support::{Client, Frame, Harness, Kind, get, harness, harness_with, post, reason};

const INITIAL_WINDOW_SIZE: u16 = 4;

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// Whether about so many seconds have passed.
pub(crate) fn assert_elapsed(since: Instant, expected: u64) {
    let elapsed = since.elapsed();
    let within = seconds(expected)..seconds(expected) + Duration::from_millis(2500);
    assert!(within.contains(&elapsed), "{elapsed:?} instead of {expected} s");
}

async fn assert_closes_after(client: &mut Client, expected: u64) -> Vec<Frame> {
    let begin = Instant::now();
    let rest = client.rest().await;
    assert_elapsed(begin, expected);
    rest
}

#[tokio::test(start_paused = true)]
async fn a_client_without_a_preface_is_let_go() {
    let harness = harness();
    let mut client = harness.raw_client();
    client.write(&PREFACE[..10]).await;
    assert_closes_after(&mut client, 10).await;
}

#[tokio::test(start_paused = true)]
async fn a_preface_and_then_silence_is_an_idle_connection() {
    let harness = harness();
    let mut client = harness.raw_client();
    client.write(PREFACE).await;
    client.send(Frame::settings(&[])).await;
    let rest = assert_closes_after(&mut client, 60).await;
    assert_eq!(rest.last().unwrap().kind, Kind::GOAWAY);
}

#[tokio::test(start_paused = true)]
async fn a_head_that_does_not_end_is_not_waited_for() {
    let head = Frame::headers(1, block(&get("/"))).encode();
    let unfinished = Frame::headers(1, block(&get("/"))).flags(0).encode();
    for part in [&head[..5], &head[..20], &unfinished[..]] {
        let harness = harness();
        let mut client = harness.client().await;
        client.write(part).await;
        let begin = Instant::now();
        assert_eq!(client.goaway().await.reason(), reason::ENHANCE_YOUR_CALM);
        assert_elapsed(begin, 10);
        client.rest().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_head_that_dribbles_is_not_waited_for() {
    let harness = harness();
    let mut client = harness.client().await;
    let begin = Instant::now();
    client.send(Frame::headers(1, block(&get("/"))).flags(0)).await;
    for _ in 0..4 {
        tokio::time::sleep(seconds(4)).await;
        client.try_send(Frame::new(Kind::CONTINUATION, 0, 1, block(&[("x", "1")]))).await;
    }
    assert_eq!(client.goaway().await.reason(), reason::ENHANCE_YOUR_CALM);
    assert_elapsed(begin, 16);
}

#[tokio::test(start_paused = true)]
async fn a_body_that_stalls_resets_its_stream() {
    let harness = harness();
    let mut client = harness.client().await;
    client.open(1, &post("/echo")).await;
    client.send(Frame::data(1, *b"and then nothing")).await;
    let begin = Instant::now();
    assert_eq!(client.reset_of(1).await, reason::CANCEL);
    assert_elapsed(begin, 30);
    client.assert_usable(3).await;
    harness.idle().await;
}

#[tokio::test(start_paused = true)]
async fn a_body_that_dribbles_is_a_body_that_stalls() {
    let harness = harness();
    let mut client = harness.client().await;
    client.open(1, &post("/echo")).await;
    let begin = Instant::now();
    while begin.elapsed() < seconds(29) {
        client.send(Frame::data(1, *b"x")).await;
        tokio::time::sleep(seconds(1)).await;
    }
    assert_eq!(client.reset_of(1).await, reason::CANCEL);
    assert_elapsed(begin, 30);
}

#[tokio::test(start_paused = true)]
async fn a_body_that_moves_may_take_its_time() {
    let harness = harness();
    let mut client = harness.client().await;
    client.open(1, &post("/echo")).await;
    for _ in 0..20 {
        client.send(Frame::data(1, [0; 8000])).await;
        tokio::time::sleep(seconds(20)).await;
    }
    client.send(Frame::data(1, []).end()).await;
    assert_eq!(client.response(1).await.body.len(), 20 * 8000);
}

/// One peer must not hold what all uploads share.
#[tokio::test(start_paused = true)]
async fn a_body_that_is_collected_for_ever_is_a_body_that_stalls() {
    let harness = harness();
    let mut client = harness.client().await;
    client.open(1, &post("/echo")).await;
    let begin = Instant::now();
    while begin.elapsed() < seconds(28) {
        client.send(Frame::data(1, [0; 250])).await;
        tokio::time::sleep(seconds(1)).await;
    }
    assert_eq!(client.reset_of(1).await, reason::CANCEL);
    assert_elapsed(begin, 30);
    harness.idle().await;
}

#[tokio::test(start_paused = true)]
async fn a_streamed_body_that_stalls_is_an_error_to_its_reader() {
    let mut harness = harness_with(|config| config.buffers.request_buffering = false);
    let mut client = harness.client().await;
    client.open(1, &post("/manual")).await;
    client.send(Frame::data(1, *b"first")).await;
    let RequestBody::Incoming(body) = harness.exchange().await.body else { panic!() };
    // The application's own pause is not the client's.
    tokio::time::sleep(seconds(100)).await;
    assert_eq!(read(&body).await.unwrap().unwrap(), "first");
    let begin = Instant::now();
    assert_eq!(read(&body).await, Err(BodyError::TimedOut));
    assert!(begin.elapsed() <= seconds(31), "{:?}", begin.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_grpc_stream_may_be_silent_for_as_long_as_it_likes() {
    let mut harness = harness();
    let mut client = harness.client().await;
    let mut head = post("/manual");
    head.extend([("content-type", "application/grpc"), ("te", "trailers")]);
    client.open(1, &head).await;
    let RequestBody::Incoming(body) = harness.exchange().await.body else { panic!() };
    tokio::time::sleep(seconds(500)).await;
    client.send(Frame::data(1, *b"message").end()).await;
    assert_eq!(read(&body).await.unwrap().unwrap(), "message");
}

#[tokio::test(start_paused = true)]
async fn a_stream_window_that_stays_shut_resets_its_stream() {
    for path in ["/bytes/100000", "/stream/100000"] {
        let mut harness = harness();
        let mut client = harness.client_with(&[(INITIAL_WINDOW_SIZE, 0)]).await;
        client.request(1, &get(path)).await;
        let begin = Instant::now();
        assert_eq!(client.response(1).await.reset, Some(reason::CANCEL), "{path}");
        assert_elapsed(begin, 30);
        assert_eq!(harness.outcome().await, Outcome::TimedOut);
        harness.idle().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_window_that_dribbles_is_a_window_that_stays_shut() {
    let harness = harness();
    let mut client = harness.client_with(&[(INITIAL_WINDOW_SIZE, 0)]).await;
    client.refills = false;
    client.request(1, &get("/bytes/100000")).await;
    let begin = Instant::now();
    while begin.elapsed() < seconds(29) {
        client.send(Frame::window_update(1, 1)).await;
        tokio::time::sleep(seconds(1)).await;
    }
    assert_eq!(client.response(1).await.reset, Some(reason::CANCEL));
    assert_elapsed(begin, 30);
}

#[tokio::test(start_paused = true)]
async fn a_socket_that_takes_nothing_is_closed() {
    let mut harness = harness();
    let mut client = harness.narrow_client(1000);
    client.handshake(&[(INITIAL_WINDOW_SIZE, 1 << 24)]).await;
    client.send(Frame::window_update(0, 1 << 24)).await;
    client.request(1, &get("/bytes/1000000")).await;
    let begin = Instant::now();
    assert_eq!(harness.outcome().await, Outcome::Disconnected);
    assert_elapsed(begin, 30);
    harness.idle().await;
    let rest = client.rest().await;
    assert!(rest.iter().map(|frame| frame.payload.len()).sum::<usize>() < 200_000, "what was gathered");
}

#[tokio::test(start_paused = true)]
async fn an_idle_connection_is_told_goodbye() {
    let harness = harness();
    let mut client = harness.client().await;
    tokio::time::sleep(seconds(50)).await;
    client.assert_usable(1).await;
    let begin = Instant::now();
    let goaway = client.goaway().await;
    assert_elapsed(begin, 60);
    assert_eq!((goaway.reason(), goaway.last_stream()), (reason::NO_ERROR, 0x7fff_ffff));
    let rest = client.rest().await;
    let last = rest.iter().rfind(|frame| frame.kind == Kind::GOAWAY).unwrap();
    assert_eq!((last.reason(), last.last_stream()), (reason::NO_ERROR, 1));
    assert_elapsed(begin, 60);
}

#[tokio::test(start_paused = true)]
async fn a_request_that_crosses_the_goodbye_is_served() {
    let harness = harness();
    let mut client = harness.client().await;
    client.goaway().await;
    client.assert_usable(1).await;
    client.rest().await;
}

#[tokio::test(start_paused = true)]
async fn an_open_stream_keeps_the_connection() {
    let mut harness = harness();
    let mut client = harness.client().await;
    client.request(1, &get("/manual")).await;
    let exchange = harness.exchange().await;
    tokio::time::sleep(seconds(500)).await;
    drop(exchange);
    assert_eq!(client.response(1).await.status, 500);
    client.assert_usable(3).await;
}

#[tokio::test(start_paused = true)]
async fn an_idle_peer_is_pinged_and_has_to_answer() {
    let harness = harness_with(|config| {
        config.timeouts.ping_interval = Some(seconds(20));
        config.timeouts.keepalive = seconds(1000);
    });
    let mut client = harness.client().await;
    let begin = Instant::now();
    for round in 1..=3 {
        let ping = client.next().await.unwrap();
        assert_eq!((ping.kind, ping.flags), (Kind::PING, 0));
        assert_elapsed(begin, round * 20);
        client.send(ping.flags(0x1)).await;
    }
    assert_eq!(client.next().await.unwrap().kind, Kind::PING);
    assert_closes_after(&mut client, 10).await;
}

#[tokio::test(start_paused = true)]
async fn no_ping_is_sent_unless_it_is_wanted() {
    let harness = harness();
    let mut client = harness.client().await;
    assert!(client.is_silent_for(seconds(59)).await);
}

/// PINGs every twenty seconds, and sixty to keepalive_timeout.
fn pinging() -> Harness {
    harness_with(|config| config.timeouts.ping_interval = Some(seconds(20)))
}

async fn answer_ping(client: &mut Client) {
    let ping = client.next().await.unwrap();
    assert_eq!((ping.kind, ping.flags), (Kind::PING, 0));
    client.send(ping.flags(0x1)).await;
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_served_a_request_is_pinged_and_told_goodbye() {
    let harness = pinging();
    let mut client = harness.client().await;
    tokio::time::sleep(seconds(10)).await;
    client.assert_usable(1).await;
    let begin = Instant::now();
    for round in 1..=2 {
        answer_ping(&mut client).await;
        assert_elapsed(begin, round * 20);
    }
    let frames = client.rest().await;
    assert_elapsed(begin, 60);
    assert!(frames.iter().any(|frame| frame.kind == Kind::GOAWAY));
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_vanishes_with_a_stream_open_is_found() {
    let mut harness = pinging();
    let mut client = harness.client().await;
    client.request(1, &get("/manual")).await;
    let _exchange = harness.exchange().await;
    let begin = Instant::now();
    for round in 1..=5 {
        answer_ping(&mut client).await;
        assert_elapsed(begin, round * 20);
    }
    assert_eq!(client.next().await.unwrap().kind, Kind::PING);
    assert_closes_after(&mut client, 10).await;
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_is_heard_of_is_not_pinged() {
    let mut harness = pinging();
    let mut client = harness.client().await;
    client.open(1, &post("/manual")).await;
    for _ in 0..20 {
        client.send(Frame::data(1, [0; 8000])).await;
        assert!(client.is_silent_for(seconds(15)).await);
    }
    client.send(Frame::data(1, []).end()).await;
    let _exchange = harness.exchange().await;
    answer_ping(&mut client).await;
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_reads_slowly_is_no_vanished_one() {
    let harness = pinging();
    let mut client = harness.narrow_client(1000);
    client.handshake(&[(INITIAL_WINDOW_SIZE, 1 << 24)]).await;
    client.send(Frame::window_update(0, 1 << 24)).await;
    client.refills = false;
    client.request(1, &get("/bytes/100000")).await;
    let mut read = 0;
    while read < 100_000 {
        let frame = client.next().await.expect("a frame");
        read += if frame.kind == Kind::DATA { frame.payload.len() } else { 0 };
        // What the server has gathered, it waits with; the PING behind that is answered soon after it comes.
        if read < 60_000 {
            tokio::time::sleep(seconds(25)).await;
        } else if frame.kind == Kind::PING {
            client.send(frame.flags(0x1)).await;
        }
    }
}
