//! How each response ends is told once, and leaves nothing behind: no slot, no byte.

use std::time::Duration;

use bytes::Bytes;
use hyperion_core::body::{BodySender, PushError};
use hyperion_core::response::Outcome;
use hyperion_core::{Address, Peer};

use crate::support::app::{ok, pattern, push};
use crate::support::{Client, Frame, Harness, get, harness, harness_with, post, reason};

const INITIAL_WINDOW_SIZE: u16 = 4;

async fn assert_outcome(harness: &mut Harness, expected: Outcome) {
    assert_eq!(harness.outcome().await, expected);
    harness.idle().await;
    assert!(!harness.has_more_outcomes());
}

/// A streamed response whose client takes only a hundred bytes.
async fn stuck(harness: &mut Harness) -> (Client, BodySender) {
    let mut client = harness.client_with(&[(INITIAL_WINDOW_SIZE, 100)]).await;
    client.refills = false;
    client.request(1, &get("/manual")).await;
    let sender = harness.exchange().await.responder.respond_streaming(ok());
    for _ in 0..10 {
        push(&sender, pattern(100_000)).await.unwrap();
    }
    while !client.is_silent_for(Duration::from_secs(1)).await {
        client.next().await;
    }
    assert!(harness.service.spilled() > 0);
    (client, sender)
}

async fn assert_closed(sender: &BodySender) {
    std::future::poll_fn(|cx| sender.poll_room(cx)).await;
    assert!(sender.is_closed());
    assert!(matches!(sender.offer_spilling(Bytes::from_static(b"x")), Err(PushError::Closed)));
}

#[tokio::test(start_paused = true)]
async fn responses_of_every_kind_are_sent() {
    let mut harness = harness();
    let mut client = harness.client().await;
    for (number, path) in ["/", "/bytes/0", "/bytes/100000", "/stream/0", "/stream/100000"].iter().enumerate()
    {
        let stream = number as u32 * 2 + 1;
        client.request(stream, &get(path)).await;
        client.response(stream).await;
        assert_outcome(&mut harness, Outcome::Sent).await;
    }
    client.open(99, &post("/echo")).await;
    client.send(Frame::data(99, *b"echo").end()).await;
    client.response(99).await;
    assert_outcome(&mut harness, Outcome::Sent).await;
}

#[tokio::test(start_paused = true)]
async fn a_reset_by_the_client_disconnects() {
    let mut harness = harness();
    let (mut client, sender) = stuck(&mut harness).await;
    client.send(Frame::reset(1, reason::CANCEL)).await;
    assert_outcome(&mut harness, Outcome::Disconnected).await;
    assert_closed(&sender).await;
    client.assert_usable(3).await;
}

#[tokio::test(start_paused = true)]
async fn a_reset_of_a_quiet_stream_is_noticed_too() {
    let mut harness = harness();
    let mut client = harness.client().await;
    client.request(1, &get("/manual")).await;
    let sender = harness.exchange().await.responder.respond_streaming(ok());
    client.next_on(1).await;
    client.send(Frame::reset(1, reason::CANCEL)).await;
    assert_outcome(&mut harness, Outcome::Disconnected).await;
    assert_closed(&sender).await;
}

#[tokio::test(start_paused = true)]
async fn a_reset_before_the_response_disconnects() {
    let mut harness = harness();
    let mut client = harness.client().await;
    client.request(1, &get("/manual")).await;
    let mut responder = harness.exchange().await.responder;
    assert!(!responder.is_disconnected());
    client.send(Frame::reset(1, reason::CANCEL)).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert!(responder.is_disconnected());
    responder.respond_full(ok(), "late".into());
    assert_outcome(&mut harness, Outcome::Disconnected).await;
    client.assert_usable(3).await;
}

#[tokio::test(start_paused = true)]
async fn a_lost_connection_disconnects_all_its_responses() {
    let mut harness = harness();
    let (client, sender) = stuck(&mut harness).await;
    drop(client);
    assert_outcome(&mut harness, Outcome::Disconnected).await;
    assert_closed(&sender).await;
    let mut client = harness.client().await;
    client.request(1, &get("/manual")).await;
    let mut responder = harness.exchange().await.responder;
    drop(client);
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert!(responder.is_disconnected());
    responder.respond_full(ok(), "late".into());
    assert_outcome(&mut harness, Outcome::Disconnected).await;
}

/// As a handler closes one.
#[tokio::test(start_paused = true)]
async fn a_connection_whose_task_is_aborted_disconnects_its_requests() {
    let mut harness = harness();
    let (io, server) = tokio::io::duplex(1 << 16);
    let peer = Peer { remote: Address::Unix(None), local: Address::Unix(None), tls: None };
    let task = tokio::spawn(harness.service.serve(server, peer));
    let mut client = Client::new(io);
    client.handshake(&[]).await;
    client.request(1, &get("/manual")).await;
    let mut responder = harness.exchange().await.responder;
    assert!(!responder.is_disconnected());
    task.abort();
    assert!(task.await.unwrap_err().is_cancelled());
    assert!(responder.is_disconnected());
    responder.respond_full(ok(), "late".into());
    assert_outcome(&mut harness, Outcome::Disconnected).await;
}

#[tokio::test(start_paused = true)]
async fn a_client_that_takes_nothing_times_out() {
    let mut harness = harness();
    let (mut client, sender) = stuck(&mut harness).await;
    assert_eq!(client.reset_of(1).await, reason::CANCEL);
    assert_outcome(&mut harness, Outcome::TimedOut).await;
    assert_closed(&sender).await;
}

#[tokio::test(start_paused = true)]
async fn an_application_that_gives_up_fails() {
    let mut harness = harness();
    let mut client = harness.client().await;
    for stream in [1, 3] {
        client.request(stream, &get("/manual")).await;
        let sender = harness.exchange().await.responder.respond_streaming(ok());
        push(&sender, pattern(100)).await.unwrap();
        client.next_on(stream).await;
        assert_eq!(client.next_on(stream).await.payload, pattern(100));
        if stream == 1 {
            sender.fail();
        }
        drop(sender);
        assert_eq!(client.reset_of(stream).await, reason::INTERNAL_ERROR);
        assert_outcome(&mut harness, Outcome::Failed).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_spill_directory_that_is_gone_fails_what_needs_it() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().to_owned();
    let mut harness = harness_with(|config| {
        config.buffers.spill_dir = path;
        config.buffers.response = 1000;
        config.buffers.request = 1000;
    });
    drop(dir);
    let mut client = harness.client_with(&[(INITIAL_WINDOW_SIZE, 0)]).await;
    client.request(1, &get("/manual")).await;
    let sender = harness.exchange().await.responder.respond_streaming(ok());
    assert!(sender.offer_spilling(pattern(1000)).is_ok());
    assert!(matches!(sender.offer_spilling(pattern(1000)), Err(PushError::Io(_))));
    drop(sender);
    client.open(3, &post("/manual")).await;
    client.send(Frame::data(3, pattern(2000).to_vec()).end()).await;
    client.send(Frame::window_update(3, 1000)).await;
    assert_eq!(client.response(3).await.status, 503);
    client.send(Frame::window_update(1, 2000)).await;
    assert_eq!(client.response(1).await.reset, Some(reason::INTERNAL_ERROR));
    harness.idle().await;
}

#[tokio::test(start_paused = true)]
async fn a_whole_body_that_the_disk_does_not_take_fails_and_says_why() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().to_owned();
    let mut harness = harness_with(|config| {
        config.buffers.spill_dir = path;
        config.buffers.max_pending = 100;
    });
    drop(dir);
    let mut client = harness.client().await;
    client.request(1, &get("/manual")).await;
    harness.exchange().await.responder.respond_full(ok(), pattern(1000));
    assert_eq!(client.response(1).await.reset, Some(reason::INTERNAL_ERROR));
    assert_outcome(&mut harness, Outcome::Failed).await;
    let complaints = harness.complaints();
    assert!(complaints[0].starts_with("body lost, stream 1:"), "{complaints:?}");
}

#[tokio::test(start_paused = true)]
async fn a_body_that_no_client_gets_closes_its_sender_quietly() {
    let mut harness = harness();
    let mut client = harness.client().await;
    let mut request = get("/manual");
    request[0].1 = "HEAD";
    client.request(1, &request).await;
    let sender = harness.exchange().await.responder.respond_streaming(ok());
    client.response(1).await;
    assert_outcome(&mut harness, Outcome::Sent).await;
    assert_closed(&sender).await;
}

#[tokio::test(start_paused = true)]
async fn a_panic_costs_one_response() {
    let mut harness = harness();
    let mut client = harness.client().await;
    client.request(1, &get("/manual")).await;
    let mut responder = harness.exchange().await.responder;
    responder.on_finish(|_| panic!("in the hook"));
    responder.respond_empty(ok());
    client.response(1).await;
    client.assert_usable(3).await;
    assert_eq!(harness.complaints(), ["response lost, panic: in the hook"]);
}
