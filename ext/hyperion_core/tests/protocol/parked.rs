//! Responses that were queued in windows which the client then took back (RFC 9113, section 6.9.2), or that wait for
//! their turn: they are written or given up, and tell which.

use std::time::Duration;

use http::HeaderMap;
use hyperion_core::body::BodySender;
use hyperion_core::response::Outcome;
use tokio::time::Instant;

use crate::support::app::{ok, pattern, push};
use crate::support::client::block;
use crate::support::{Client, Frame, Harness, Kind, get, harness, reason};

const INITIAL_WINDOW_SIZE: u16 = 4;
/// More than any of the bodies.
const WIDE: u32 = 1 << 20;

/// A client with wide windows.
async fn wide_client(mut client: Client) -> Client {
    client.handshake(&[(INITIAL_WINDOW_SIZE, WIDE)]).await;
    client.send(Frame::window_update(0, 1 << 24)).await;
    client.refills = false;
    client
}

/// One that has room for a thousand bytes of what it has not read.
async fn narrow_client(harness: &Harness) -> Client {
    wide_client(harness.narrow_client(1000)).await
}

/// Until the server has queued what it can.
async fn settle() {
    tokio::time::sleep(Duration::from_secs(1)).await;
}

async fn take_windows_back(client: &mut Client) {
    settle().await;
    client.send(Frame::settings(&[(INITIAL_WINDOW_SIZE, 0)])).await;
}

async fn read_all(client: &mut Client) {
    while !client.is_silent_for(Duration::from_secs(1)).await {
        client.next().await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn a_response_that_a_task_has_queued_is_reset() {
    let mut harness = harness();
    let mut client = narrow_client(&harness).await;
    client.request(1, &get("/stream/100000")).await;
    take_windows_back(&mut client).await;
    let begin = Instant::now();
    let response = client.response(1).await;
    assert_eq!(response.reset, Some(reason::CANCEL));
    assert!(response.body.len() < 100_000);
    assert!(begin.elapsed() < Duration::from_secs(35), "{:?}", begin.elapsed());
    assert_eq!(harness.outcome().await, Outcome::TimedOut);
    harness.idle().await;
    client.send(Frame::settings(&[(INITIAL_WINDOW_SIZE, WIDE)])).await;
    client.assert_usable(3).await;
}

#[tokio::test(start_paused = true)]
async fn a_piece_of_a_response_that_goes_on_is_no_exception() {
    let mut harness = harness();
    let mut client = narrow_client(&harness).await;
    client.request(1, &get("/manual")).await;
    let _sender = streaming(&mut harness).await;
    take_windows_back(&mut client).await;
    assert_eq!(client.response(1).await.reset, Some(reason::CANCEL));
    assert_eq!(harness.outcome().await, Outcome::TimedOut);
}

#[tokio::test(start_paused = true)]
async fn responses_that_were_queued_whole_end_with_their_connection() {
    const STREAMS: u32 = 100;
    let mut harness = harness();
    let mut client = wide_client(harness.raw_client()).await;
    for number in 0..STREAMS {
        client.request(number * 2 + 1, &get("/bytes/100000")).await;
    }
    take_windows_back(&mut client).await;
    let begin = Instant::now();
    assert_eq!(client.goaway().await.reason(), reason::ENHANCE_YOUR_CALM);
    assert!(begin.elapsed() < Duration::from_secs(35), "{:?}", begin.elapsed());
    let mut timed_out = 0;
    for _ in 0..STREAMS {
        timed_out += u32::from(harness.outcome().await == Outcome::TimedOut);
    }
    assert!(timed_out > STREAMS / 2, "{timed_out}");
    harness.idle().await;
}

#[tokio::test(start_paused = true)]
async fn neighbours_that_move_hide_it_only_for_a_while() {
    let mut harness = harness();
    let mut client = narrow_client(&harness).await;
    client.request(1, &get("/bytes/100000")).await;
    take_windows_back(&mut client).await;
    read_all(&mut client).await;
    let begin = Instant::now();
    let ended = async {
        for stream in (3..).step_by(2) {
            let head = block(&get("/bytes/5000"));
            let sent = client.try_send(Frame::headers(stream, head).end()).await;
            if !sent || !client.try_send(Frame::window_update(stream, 5000)).await {
                return;
            }
            settle().await;
            while !client.is_silent_for(Duration::from_secs(1)).await {
                match client.next().await {
                    Some(frame) if frame.kind != Kind::GOAWAY => {}
                    _ => return,
                }
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(500), ended).await.expect("an end");
    assert!(begin.elapsed() > Duration::from_secs(100), "{:?}", begin.elapsed());
    while harness.outcome().await != Outcome::TimedOut {}
}

/// A response of which more is queued than the client has room for.
async fn streaming(harness: &mut Harness) -> BodySender {
    let sender = harness.exchange().await.responder.respond_streaming(ok());
    push(&sender, pattern(100_000)).await.unwrap();
    settle().await;
    sender
}

#[tokio::test(start_paused = true)]
async fn a_response_is_not_sent_before_its_bytes_are() {
    for trailers in [None, Some(HeaderMap::new())] {
        for reads in [true, false] {
            let mut harness = harness();
            let mut client = narrow_client(&harness).await;
            client.request(1, &get("/manual")).await;
            let sender = streaming(&mut harness).await;
            sender.finish(trailers.clone());
            settle().await;
            assert!(!harness.has_more_outcomes(), "{trailers:?}");
            let expected = if reads {
                assert_eq!(client.response(1).await.body, pattern(100_000));
                Outcome::Sent
            } else {
                client.send(Frame::reset(1, reason::CANCEL)).await;
                read_all(&mut client).await;
                Outcome::Disconnected
            };
            assert_eq!(harness.outcome().await, expected, "{trailers:?}");
            harness.idle().await;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn waiting_for_a_turn_is_not_the_clients_fault() {
    const STREAMS: u32 = 100;
    const SIZE: usize = 50_000;
    let harness = harness();
    let mut client = harness.client_with(&[(INITIAL_WINDOW_SIZE, WIDE)]).await;
    client.refills = false;
    for number in 0..STREAMS {
        client.request(number * 2 + 1, &get(&format!("/stream/{SIZE}"))).await;
    }
    let (mut ends, mut received) = (0, 0);
    // A slow line: a turn comes every hundred seconds.
    while ends < STREAMS {
        client.send(Frame::window_update(0, 16_384)).await;
        while !client.is_silent_for(Duration::from_secs(1)).await {
            let frame = client.next().await.unwrap();
            assert_ne!(frame.kind, Kind::RST_STREAM);
            ends += u32::from(frame.is_end());
            received += if frame.kind == Kind::DATA { frame.payload.len() } else { 0 };
        }
    }
    assert_eq!(received, STREAMS as usize * SIZE);
}

#[tokio::test(start_paused = true)]
async fn neighbours_that_move_do_not_help_a_shut_window_for_ever() {
    let mut harness = harness();
    let mut client = harness.client_with(&[(INITIAL_WINDOW_SIZE, 0)]).await;
    client.request(1, &get("/bytes/1000")).await;
    client.request(3, &get("/stream/100000000")).await;
    let begin = Instant::now();
    let feed = async {
        loop {
            client.refills = false;
            client.send(Frame::window_update(0, 2000)).await;
            client.send(Frame::window_update(3, 2000)).await;
            while !client.is_silent_for(Duration::from_secs(1)).await {
                let frame = client.next().await.unwrap();
                if frame.kind == Kind::RST_STREAM {
                    return (frame.stream, frame.reason());
                }
            }
        }
    };
    let reset = tokio::time::timeout(Duration::from_secs(500), feed).await.expect("a reset");
    assert_eq!(reset, (1, reason::CANCEL));
    assert!(begin.elapsed() > Duration::from_secs(300), "{:?}", begin.elapsed());
    assert_eq!(harness.outcome().await, Outcome::TimedOut);
}
