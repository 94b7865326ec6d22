//! Every limit of `Config`, hit.

use std::time::Duration;

use hyperion_core::body::{Offer, RequestBody};

use crate::support::app::{ok, pattern};
use crate::support::client::{block, literal};
use crate::support::{Frame, Kind, get, harness, harness_with, post, reason};

const INITIAL_WINDOW_SIZE: u16 = 4;

#[tokio::test(start_paused = true)]
async fn streams_beyond_the_maximum_are_refused() {
    let mut harness = harness_with(|config| config.http2.max_concurrent_streams = 3);
    let mut client = harness.client().await;
    let mut held = Vec::new();
    for stream in [1, 3, 5] {
        client.request(stream, &get("/manual")).await;
        held.push(harness.exchange().await);
    }
    client.request(7, &get("/manual")).await;
    assert_eq!(client.reset_of(7).await, reason::REFUSED_STREAM);
    assert!(!harness.was_called());
    held.pop();
    assert_eq!(client.response(5).await.status, 500);
    client.assert_usable(9).await;
    let events = harness.events();
    assert_eq!(events.len(), 1, "{events:?}");
    assert!(events[0].contains("stream 7: max_concurrent_streams is reached"), "{events:?}");
}

#[tokio::test(start_paused = true)]
async fn requests_beyond_the_process_maximum_are_refused_and_slots_come_back() {
    let mut harness = harness_with(|config| config.limits.max_in_flight = 2);
    let mut client = harness.client().await;
    let mut other = harness.client().await;
    client.request(1, &get("/manual")).await;
    let first = harness.exchange().await;
    other.request(1, &get("/manual")).await;
    let second = harness.exchange().await;
    client.request(3, &get("/manual")).await;
    assert_eq!(client.reset_of(3).await, reason::REFUSED_STREAM);
    assert_eq!(harness.service.admission().rejected(), 1);
    drop((first, second));
    harness.idle().await;
    // However a request ends, its slot is free again.
    let mut stream = 5;
    for _ in 0..10 {
        client.request(stream, &get("/manual")).await;
        let exchange = harness.exchange().await;
        client.send(Frame::reset(stream, reason::CANCEL)).await;
        drop(exchange);
        client.open(stream + 2, &post("/echo")).await;
        client.send(Frame::reset(stream + 2, reason::CANCEL)).await;
        client.open(stream + 4, &post("/echo")).await;
        client.send(Frame::headers(stream + 4, block(&[(":path", "/")])).end()).await;
        client.request(stream + 6, &get("/stream/1000000")).await;
        client.send(Frame::reset(stream + 6, reason::CANCEL)).await;
        harness.idle().await;
        stream += 8;
    }
    client.assert_usable(stream).await;
}

#[tokio::test(start_paused = true)]
async fn a_header_list_beyond_the_maximum_is_answered_431() {
    let mut harness = harness_with(|config| config.http2.max_header_list_size = 4096);
    let mut client = harness.client().await;
    let head = [block(&get("/manual")), literal(b"x", &[b'v'; 4096])].concat();
    client.send(Frame::headers(1, head).end()).await;
    assert_eq!(client.response(1).await.status, 431);
    assert!(!harness.was_called());
    client.assert_usable(3).await;
}

#[tokio::test(start_paused = true)]
async fn many_small_fields_count_with_their_overhead() {
    let mut harness = harness_with(|config| config.http2.max_header_list_size = 4096);
    let mut client = harness.client().await;
    let head = [block(&get("/manual")), literal(b"x", b"").repeat(130)].concat();
    client.send(Frame::headers(1, head).end()).await;
    assert_eq!(client.response(1).await.status, 431);
    assert!(!harness.was_called());
}

#[tokio::test(start_paused = true)]
async fn a_producer_waits_when_its_memory_and_its_file_are_full() {
    let mut harness = harness_with(|config| {
        config.buffers.response = 10_000;
        config.buffers.response_spill = 20_000;
    });
    let mut client = harness.client_with(&[(INITIAL_WINDOW_SIZE, 0)]).await;
    client.request(1, &get("/manual")).await;
    let sender = harness.exchange().await.responder.respond_streaming(ok());
    let mut taken = 0;
    while let Offer::Taken = sender.offer_spilling(pattern(1000)).unwrap() {
        taken += 1;
        tokio::task::yield_now().await;
    }
    // One chunk is with flow control already.
    assert!((30..=31).contains(&taken), "{taken}");
    assert_eq!(harness.service.spilled(), 20_000);
    let waiting = tokio::spawn(async move {
        std::future::poll_fn(|cx| sender.poll_room(cx)).await;
        sender
    });
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert!(!waiting.is_finished());
    client.send(Frame::window_update(1, 1_000_000)).await;
    waiting.await.unwrap().finish(None);
    assert_eq!(client.response(1).await.body.len(), taken * 1000);
    harness.idle().await;
}

#[tokio::test(start_paused = true)]
async fn all_files_together_keep_to_their_limit() {
    let mut harness = harness_with(|config| {
        config.buffers.response = 1000;
        config.buffers.spill_limit = 5000;
    });
    let mut client = harness.client_with(&[(INITIAL_WINDOW_SIZE, 0)]).await;
    let mut senders = Vec::new();
    for stream in [1, 3] {
        client.request(stream, &get("/manual")).await;
        senders.push(harness.exchange().await.responder.respond_streaming(ok()));
    }
    for sender in &senders {
        while let Offer::Taken = sender.offer_spilling(pattern(1000)).unwrap() {
            tokio::task::yield_now().await;
        }
    }
    assert_eq!(harness.service.spilled(), 5000);
    drop(senders);
    client.send(Frame::reset(1, reason::CANCEL)).await;
    client.send(Frame::reset(3, reason::CANCEL)).await;
    harness.idle().await;
}

#[tokio::test(start_paused = true)]
async fn a_client_that_is_gone_frees_the_disk_before_the_producer_notices() {
    let mut harness = harness_with(|config| config.buffers.response = 1000);
    let mut client = harness.client_with(&[(INITIAL_WINDOW_SIZE, 0)]).await;
    client.request(1, &get("/manual")).await;
    let _sender = {
        let sender = harness.exchange().await.responder.respond_streaming(ok());
        for _ in 0..10 {
            sender.offer_spilling(pattern(1000)).unwrap();
        }
        sender
    };
    assert!(harness.service.spilled() > 0);
    client.send(Frame::reset(1, reason::CANCEL)).await;
    harness.idle().await;
}

#[tokio::test(start_paused = true)]
async fn slow_uploads_hold_no_more_memory_than_they_may() {
    let mut harness = harness_with(|config| config.buffers.request = 10_000);
    let mut client = harness.client().await;
    for number in 0..20 {
        client.open(number * 2 + 1, &post("/manual")).await;
        client.send(Frame::data(number * 2 + 1, vec![0; 12_000])).await;
    }
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(harness.service.spilled(), 20 * 12_000);
    for number in 0..20 {
        client.send(Frame::data(number * 2 + 1, *b"end").end()).await;
        let RequestBody::Collected(body) = harness.exchange().await.body else { panic!() };
        assert_eq!(body.len(), 12_003);
    }
    for number in 0..20 {
        assert_eq!(client.response(number * 2 + 1).await.status, 500);
    }
    harness.idle().await;
}

#[tokio::test(start_paused = true)]
async fn a_frame_size_of_the_maximum_is_taken() {
    let mut harness = harness();
    let mut client = harness.client().await;
    client.open(1, &post("/manual")).await;
    client.send(Frame::data(1, vec![7; 1 << 20]).end()).await;
    let RequestBody::Collected(body) = harness.exchange().await.body else { panic!() };
    assert_eq!(body.len(), 1 << 20);
    client.send(Frame::new(Kind::DATA, 0, 3, vec![0; (1 << 20) + 1])).await;
    assert_eq!(client.goaway().await.reason(), reason::FRAME_SIZE_ERROR);
}
