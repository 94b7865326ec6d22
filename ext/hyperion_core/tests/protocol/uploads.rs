//! Request bodies: collected or streamed, within their limits (RFC 9113, sections 6.1 and 8.1).

use std::time::Duration;

use hyperion_core::Config;
use hyperion_core::body::{BodyError, RequestBody};
use hyperion_core::response::Head;

use crate::support::app::{ok, pattern, read, whole};
use crate::support::{Client, Frame, Harness, Kind, get, harness, harness_with, post, reason};

const WINDOW: u32 = 1 << 20;

pub(crate) fn streaming(config: &mut Config) {
    config.buffers.request_buffering = false;
}

pub(crate) fn post_with(
    path: &'static str,
    name: &'static str,
    value: &'static str,
) -> Vec<(&'static str, &'static str)> {
    let mut head = post(path);
    head.push((name, value));
    head
}

async fn upload(client: &mut Client, stream: u32, path: &str, body: &[u8]) {
    client.open(stream, &post(path)).await;
    let chunks = body.chunks(16 * 1024);
    let last = chunks.len().saturating_sub(1);
    for (number, chunk) in chunks.enumerate() {
        let data = Frame::data(stream, chunk);
        client.send(if number == last { data.end() } else { data }).await;
    }
}

pub(crate) async fn incoming(
    harness: &mut Harness,
) -> (hyperion_core::body::Incoming, hyperion_core::response::Responder) {
    let exchange = harness.exchange().await;
    let RequestBody::Incoming(body) = exchange.body else { panic!("{:?}", exchange.body) };
    (body, exchange.responder)
}

#[tokio::test(start_paused = true)]
async fn a_body_is_collected_before_the_application_is_called() {
    let mut harness = harness();
    let mut client = harness.client().await;
    client.open(1, &post("/manual")).await;
    client.send(Frame::data(1, *b"half")).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert!(!harness.was_called());
    client.send(Frame::data(1, *b" and half").end()).await;
    let RequestBody::Collected(body) = harness.exchange().await.body else { panic!() };
    assert_eq!(body.as_memory().unwrap(), "half and half");
}

#[tokio::test(start_paused = true)]
async fn an_empty_last_frame_ends_an_empty_body() {
    let mut harness = harness();
    let mut client = harness.client().await;
    client.open(1, &post("/manual")).await;
    client.send(Frame::data(1, []).end()).await;
    let RequestBody::Collected(body) = harness.exchange().await.body else { panic!() };
    assert!(body.is_empty());
    client.request(3, &get("/manual")).await;
    assert!(matches!(harness.exchange().await.body, RequestBody::Empty));
}

#[tokio::test(start_paused = true)]
async fn empty_frames_between_others_are_no_flood() {
    let harness = harness();
    let mut client = harness.client().await;
    for stream in (1..2000).step_by(2) {
        client.open(stream, &post("/echo")).await;
        for part in ["", "a", "", "b", ""] {
            client.send(Frame::data(stream, part)).await;
        }
        client.send(Frame::data(stream, []).end()).await;
        assert_eq!(client.response(stream).await.body, b"ab");
    }
}

#[tokio::test(start_paused = true)]
async fn what_memory_may_not_hold_is_in_a_file_while_it_is_needed() {
    let mut harness = harness_with(|config| config.buffers.request = 100_000);
    let mut client = harness.client().await;
    upload(&mut client, 1, "/manual", &pattern(100_000)).await;
    upload(&mut client, 3, "/manual", &pattern(500_000)).await;
    let small = harness.exchange().await;
    let large = harness.exchange().await;
    let (RequestBody::Collected(in_memory), RequestBody::Collected(in_file)) = (small.body, large.body)
    else {
        panic!()
    };
    assert!(in_memory.as_memory().is_some());
    assert!(in_file.as_memory().is_none());
    assert_eq!(whole(&in_file), pattern(500_000));
    assert_eq!(harness.service.spilled(), 500_000);
    drop((in_file, small.responder, large.responder));
    harness.idle().await;
}

#[tokio::test(start_paused = true)]
async fn bodies_of_many_sizes_come_back_unchanged_in_both_modes() {
    for buffering in [true, false] {
        let harness = harness_with(|config| config.buffers.request_buffering = buffering);
        let mut client = harness.client().await;
        for (number, size) in [1, 65_535, 65_536, 3_000_000].into_iter().enumerate() {
            let stream = number as u32 * 2 + 1;
            let body = pattern(size);
            upload_and_read(&mut client, stream, &body).await;
        }
        harness.idle().await;
    }
}

/// Sends a body as the windows allow, reading the echo meanwhile.
async fn upload_and_read(client: &mut Client, stream: u32, body: &[u8]) {
    client.open(stream, &post("/echo")).await;
    let mut echo = Vec::new();
    let mut rest = body;
    let (mut stream_window, mut used) = (WINDOW as usize, client.window_updates.len());
    while !rest.is_empty() {
        while rest.is_empty() || stream_window == 0 {
            if client.is_silent_for(Duration::from_millis(10)).await {
                break;
            }
            echo.extend(client.next_on(stream).await.payload);
        }
        stream_window += client.window_updates[used..]
            .iter()
            .filter(|(updated, _)| *updated == stream)
            .map(|(_, size)| *size as usize)
            .sum::<usize>();
        used = client.window_updates.len();
        let (chunk, later) = rest.split_at(rest.len().min(stream_window).min(16 * 1024));
        let data = Frame::data(stream, chunk);
        client.send(if later.is_empty() { data.end() } else { data }).await;
        stream_window -= chunk.len();
        rest = later;
        if !client.is_silent_for(Duration::from_millis(1)).await {
            let frame = client.next_on(stream).await;
            if frame.kind == Kind::DATA {
                echo.extend(frame.payload);
            }
        }
    }
    loop {
        let frame = client.next_on(stream).await;
        if frame.kind == Kind::DATA {
            echo.extend(&frame.payload);
        }
        if frame.is_end() {
            break;
        }
    }
    assert!(echo == body, "{} bytes of {}", echo.len(), body.len());
}

#[tokio::test(start_paused = true)]
async fn grpc_calls_are_streamed_whatever_the_mode() {
    let mut harness = harness();
    let mut client = harness.client().await;
    let mut head = post_with("/manual", "content-type", "application/grpc+proto");
    head.push(("te", "trailers"));
    client.open(1, &head).await;
    let (body, _responder) = incoming(&mut harness).await;
    client.send(Frame::data(1, *b"message")).await;
    assert_eq!(read(&body).await.unwrap().unwrap(), "message");
    client.send(Frame::data(1, []).end()).await;
    assert_eq!(read(&body).await.unwrap(), None);
}

#[tokio::test(start_paused = true)]
async fn an_unread_body_stays_in_the_window() {
    let mut harness = harness_with(streaming);
    let mut client = harness.client().await;
    client.open(1, &post("/manual")).await;
    let (body, _responder) = incoming(&mut harness).await;
    let before = client.window_updates.len();
    for _ in 0..64 {
        client.send(Frame::data(1, vec![0; 16 * 1024])).await;
    }
    assert!(client.is_silent_for(Duration::from_secs(5)).await);
    let on_stream =
        |client: &Client| client.window_updates[before..].iter().filter(|(id, _)| *id == 1).count();
    assert_eq!(on_stream(&client), 0, "nothing was read");
    let mut size = 0;
    while size < 64 * 16 * 1024 {
        size += read(&body).await.unwrap().unwrap().len();
    }
    assert!(client.is_silent_for(Duration::from_secs(5)).await);
    assert!(on_stream(&client) > 0);
}

#[tokio::test(start_paused = true)]
async fn unread_bodies_do_not_starve_other_uploads() {
    let mut harness = harness_with(streaming);
    let mut client = harness.client().await;
    let mut unread = Vec::new();
    for number in 0..100 {
        client.open(number * 2 + 1, &post("/manual")).await;
        unread.push(incoming(&mut harness).await);
        for _ in 0..64 {
            client.send(Frame::data(number * 2 + 1, vec![0; 16 * 1024])).await;
        }
    }
    // The client has window for all that, and for one more.
    assert!(client.is_silent_for(Duration::from_secs(1)).await);
    let window: usize =
        client.window_updates.iter().filter(|(id, _)| *id == 0).map(|(_, size)| *size as usize).sum();
    assert!(window + 65_535 > 101 << 20, "{window}");
    upload(&mut client, 999, "/echo", &pattern(50_000)).await;
    assert_eq!(client.response(999).await.body, pattern(50_000));
}

#[tokio::test(start_paused = true)]
async fn small_chunks_that_nobody_reads_are_gathered() {
    let mut harness = harness_with(streaming);
    let mut client = harness.client().await;
    client.open(1, &post("/manual")).await;
    let (body, _responder) = incoming(&mut harness).await;
    for number in 0..1000u32 {
        client.send(Frame::data(1, [number as u8])).await;
    }
    // Kept as they come, each of these would hold a read buffer.
    for _ in 0..8 {
        client.send(Frame::data(1, vec![0; 4096])).await;
    }
    tokio::time::sleep(Duration::from_secs(1)).await;
    let chunk = read(&body).await.unwrap().unwrap();
    assert_eq!(chunk.len(), 1000 + 8 * 4096);
    client.send(Frame::data(1, *b"end").end()).await;
    assert_eq!(read(&body).await.unwrap().unwrap(), "end");
}

#[tokio::test(start_paused = true)]
async fn a_stream_window_that_is_exceeded_is_a_flow_control_error() {
    let mut harness = harness_with(streaming);
    let mut client = harness.client().await;
    client.open(1, &post("/manual")).await;
    let (body, _responder) = incoming(&mut harness).await;
    for _ in 0..65 {
        client.send(Frame::data(1, vec![0; 16 * 1024])).await;
    }
    assert_eq!(client.reset_of(1).await, reason::FLOW_CONTROL_ERROR);
    while let Ok(chunk) = read(&body).await {
        assert!(chunk.is_some(), "an error, not an end");
    }
    client.assert_usable(3).await;
}

#[tokio::test(start_paused = true)]
async fn a_body_known_to_be_too_large_is_refused_at_once() {
    let harness = harness_with(|config| config.limits.max_body_size = 1000);
    let mut client = harness.client().await;
    client.open(1, &post_with("/manual", "content-length", "1001")).await;
    let response = client.response(1).await;
    assert_eq!((response.status, response.ended_by), (413, Some(Kind::DATA)));
    client.send(Frame::data(1, *b"sent before it came")).await;
    assert!(client.is_silent_for(Duration::from_millis(900)).await, "the client has time to notice");
    assert_eq!(client.reset_of(1).await, reason::NO_ERROR, "the rest is not wanted");
    client.assert_usable(3).await;
}

#[tokio::test(start_paused = true)]
async fn a_client_that_stops_sending_when_it_is_refused_needs_no_reset() {
    let harness = harness_with(|config| config.limits.max_body_size = 1000);
    let mut client = harness.client().await;
    client.open(1, &post("/manual")).await;
    client.send(Frame::data(1, vec![0; 1001])).await;
    assert_eq!(client.response(1).await.status, 413);
    client.send(Frame::data(1, []).end()).await;
    assert!(client.is_silent_for(Duration::from_secs(10)).await);
    client.assert_usable(3).await;
}

#[tokio::test(start_paused = true)]
async fn a_body_that_becomes_too_large_is_refused_then() {
    let mut harness = harness_with(|config| config.limits.max_body_size = 1000);
    let mut client = harness.client().await;
    client.open(1, &post("/manual")).await;
    client.send(Frame::data(1, vec![0; 1000])).await;
    assert!(client.is_silent_for(Duration::from_secs(1)).await);
    client.send(Frame::data(1, [0])).await;
    assert_eq!(client.response(1).await.status, 413);
    assert_eq!(client.reset_of(1).await, reason::NO_ERROR);
    assert!(!harness.was_called());
    client.assert_usable(3).await;
}

#[tokio::test(start_paused = true)]
async fn a_streamed_body_that_becomes_too_large_is_an_error_to_its_reader() {
    let mut harness = harness_with(|config| {
        streaming(config);
        config.limits.max_body_size = 1000;
    });
    let mut client = harness.client().await;
    client.open(1, &post("/manual")).await;
    let (body, responder) = incoming(&mut harness).await;
    client.send(Frame::data(1, vec![0; 1001])).await;
    assert_eq!(read(&body).await, Err(BodyError::TooLarge));
    responder.respond_empty(Head::new(http::StatusCode::PAYLOAD_TOO_LARGE));
    drop(body);
    assert_eq!(client.response(1).await.status, 413);
}

#[tokio::test(start_paused = true)]
async fn a_response_before_the_end_of_the_body_stops_the_upload() {
    let mut harness = harness_with(streaming);
    let mut client = harness.client().await;
    client.open(1, &post("/manual")).await;
    let (body, responder) = incoming(&mut harness).await;
    client.send(Frame::data(1, *b"some")).await;
    responder.respond_full(ok(), "enough".into());
    drop(body);
    let response = client.response(1).await;
    assert_eq!((response.status, response.ended_by), (200, Some(Kind::DATA)));
    assert_eq!(client.reset_of(1).await, reason::NO_ERROR);
    // What was on its way is ignored, and its window given back.
    client.send(Frame::data(1, *b"late")).await;
    client.assert_usable(3).await;
    harness.idle().await;
}

#[tokio::test(start_paused = true)]
async fn a_body_that_is_kept_does_not_keep_its_stream() {
    let mut harness = harness_with(streaming);
    let mut client = harness.client().await;
    client.open(1, &post("/manual")).await;
    let (body, responder) = incoming(&mut harness).await;
    body.close();
    responder.respond_empty(ok());
    assert_eq!(client.response(1).await.status, 200);
    assert_eq!(client.reset_of(1).await, reason::NO_ERROR);
    drop(body);
}

#[tokio::test(start_paused = true)]
async fn a_body_that_came_too_slowly_does_not_keep_its_stream() {
    let mut harness = harness_with(streaming);
    let mut client = harness.client().await;
    client.open(1, &post("/manual")).await;
    let (body, responder) = incoming(&mut harness).await;
    client.send(Frame::data(1, *b"some")).await;
    assert_eq!(read(&body).await.unwrap().unwrap(), "some");
    assert_eq!(read(&body).await, Err(BodyError::TimedOut));
    responder.respond_empty(Head::new(http::StatusCode::REQUEST_TIMEOUT));
    assert_eq!(client.response(1).await.status, 408);
    assert_eq!(client.reset_of(1).await, reason::NO_ERROR);
    drop(body);
}

#[tokio::test(start_paused = true)]
async fn no_room_on_disk_stalls_an_upload_and_then_fails_it() {
    let mut harness = harness_with(|config| {
        config.buffers.request = 1000;
        config.buffers.spill_limit = 150_000;
    });
    let mut client = harness.client().await;
    upload(&mut client, 1, "/manual", &pattern(120_000)).await;
    let holder = harness.exchange().await;
    upload(&mut client, 3, "/manual", &pattern(120_000)).await;
    assert!(client.is_silent_for(Duration::from_secs(5)).await, "it waits");
    drop(holder);
    assert_eq!(client.response(1).await.status, 500);
    let RequestBody::Collected(body) = harness.exchange().await.body else { panic!() };
    assert_eq!(whole(&body), pattern(120_000));
    upload(&mut client, 5, "/manual", &pattern(120_000)).await;
    assert_eq!(client.response(5).await.status, 503, "and not for ever");
    assert_eq!(harness.complaints().len(), 1, "{:?}", harness.complaints());
    drop(body);
    harness.idle().await;
}

#[tokio::test(start_paused = true)]
async fn padding_counts_against_the_window_and_is_given_back() {
    let harness = harness();
    let mut client = harness.client().await;
    client.open(1, &post("/echo")).await;
    for _ in 0..100 {
        let payload = [&[255u8][..], b"x", &[0; 255]].concat();
        client.send(Frame::new(Kind::DATA, 0x8, 1, payload)).await;
    }
    client.send(Frame::data(1, []).end()).await;
    assert_eq!(client.response(1).await.body, [b'x'; 100]);
    client.open(3, &post("/echo")).await;
    client.send(Frame::new(Kind::DATA, 0x8, 3, [9, 0, 0])).await;
    assert_eq!(client.goaway().await.reason(), reason::PROTOCOL_ERROR, "more padding than frame");
}
