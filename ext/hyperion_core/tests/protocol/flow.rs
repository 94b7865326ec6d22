//! Flow control of responses (RFC 9113, sections 5.2 and 6.9).

use std::time::Duration;

use crate::support::app::pattern;
use crate::support::{Client, Frame, Kind, get, harness, harness_with, reason};

const INITIAL_WINDOW_SIZE: u16 = 4;
const DEFAULT_WINDOW: usize = 65_535;

/// A client that gives no window back by itself.
fn held(mut client: Client) -> Client {
    client.refills = false;
    client
}

/// All DATA of a stream until nothing more comes.
async fn drain(client: &mut Client, stream: u32) -> (Vec<u8>, bool) {
    let mut body = Vec::new();
    while !client.is_silent_for(Duration::from_secs(1)).await {
        let frame = client.next_on(stream).await;
        if frame.kind == Kind::DATA {
            body.extend(&frame.payload);
        }
        if frame.is_end() {
            return (body, true);
        }
    }
    (body, false)
}

#[tokio::test(start_paused = true)]
async fn every_way_to_send_resumes_on_a_stream_window_update() {
    for path in ["/bytes/1000", "/stream/1000"] {
        let harness = harness();
        let mut client = held(harness.client_with(&[(INITIAL_WINDOW_SIZE, 10)]).await);
        client.request(1, &get(path)).await;
        let (mut body, ended) = drain(&mut client, 1).await;
        assert_eq!((body.len(), ended), (10, false), "{path}");
        client.send(Frame::window_update(1, 500)).await;
        body.extend(drain(&mut client, 1).await.0);
        assert_eq!(body.len(), 510, "{path}");
        client.send(Frame::window_update(1, 490)).await;
        let (rest, ended) = drain(&mut client, 1).await;
        assert!(ended, "{path}");
        assert_eq!([body, rest].concat(), pattern(1000), "{path}");
    }
}

#[tokio::test(start_paused = true)]
async fn resumes_on_a_connection_window_update() {
    for path in ["/bytes/70000", "/stream/70000"] {
        let harness = harness();
        let mut client = held(harness.client_with(&[(INITIAL_WINDOW_SIZE, 1 << 20)]).await);
        client.request(1, &get(path)).await;
        assert_eq!(drain(&mut client, 1).await.0.len(), DEFAULT_WINDOW, "{path}");
        client.send(Frame::window_update(0, 70_000)).await;
        let (rest, ended) = drain(&mut client, 1).await;
        assert_eq!((rest.len(), ended), (70_000 - DEFAULT_WINDOW, true), "{path}");
    }
}

#[tokio::test(start_paused = true)]
async fn resumes_on_a_settings_change_and_heeds_one_that_takes_window_away() {
    for path in ["/bytes/1000", "/stream/1000"] {
        let harness = harness();
        let mut client = held(harness.client_with(&[(INITIAL_WINDOW_SIZE, 0)]).await);
        client.request(1, &get(path)).await;
        assert_eq!(drain(&mut client, 1).await.0.len(), 0, "{path}");
        client.send(Frame::settings(&[(INITIAL_WINDOW_SIZE, 300)])).await;
        assert_eq!(drain(&mut client, 1).await.0.len(), 300, "{path}");
        // The window is now -100 (RFC 9113, section 6.9.2).
        client.send(Frame::settings(&[(INITIAL_WINDOW_SIZE, 200)])).await;
        client.send(Frame::window_update(1, 100)).await;
        assert_eq!(drain(&mut client, 1).await.0.len(), 0, "{path}");
        client.send(Frame::window_update(1, 1)).await;
        assert_eq!(drain(&mut client, 1).await.0.len(), 1, "{path}");
        client.send(Frame::settings(&[(INITIAL_WINDOW_SIZE, 10_000)])).await;
        assert_eq!(drain(&mut client, 1).await, (pattern(1000)[301..].to_vec(), true), "{path}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_window_of_one_byte_gets_the_whole_body() {
    for path in ["/bytes/3000", "/stream/3000"] {
        let harness = harness();
        let mut client = harness.client_with(&[(INITIAL_WINDOW_SIZE, 1)]).await;
        client.request(1, &get(path)).await;
        let response = client.response(1).await;
        assert_eq!(response.body, pattern(3000), "{path}");
        assert!(response.sizes.iter().all(|&size| size <= 1), "{path}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_large_body_goes_through_small_windows_and_a_small_pipe() {
    for path in ["/bytes/10000000", "/stream/10000000"] {
        let harness = harness();
        let mut client = harness.narrow_client(1000);
        client.handshake(&[]).await;
        client.request(1, &get(path)).await;
        assert_eq!(client.response(1).await.body, pattern(10_000_000), "{path}");
        harness.idle().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_blocked_stream_holds_up_no_other() {
    let harness = harness();
    let mut client = held(harness.client_with(&[(INITIAL_WINDOW_SIZE, 100)]).await);
    for stream in [1, 3, 5] {
        client.request(stream, &get("/stream/1000000")).await;
    }
    client.assert_usable(7).await;
}

#[tokio::test(start_paused = true)]
async fn streams_share_a_connection_fairly() {
    const STREAMS: u32 = 100;
    let harness = harness();
    let mut client = held(harness.client_with(&[(INITIAL_WINDOW_SIZE, 1 << 20)]).await);
    for number in 0..STREAMS {
        client.request(number * 2 + 1, &get("/stream/200000")).await;
    }
    let mut received = vec![0; STREAMS as usize];
    // Room for a part of what they want: each has to get some of it. It comes bit by bit, and first when all have
    // something to send: what is in a file takes a while to be read.
    let mut rooms = [1_000_000; 10].into_iter();
    loop {
        while !client.is_silent_for(Duration::from_secs(1)).await {
            let frame = client.next().await.unwrap();
            if frame.kind == Kind::DATA {
                received[(frame.stream / 2) as usize] += frame.payload.len();
            }
        }
        let Some(room) = rooms.next() else { break };
        client.send(Frame::window_update(0, room)).await;
    }
    assert_eq!(received.iter().sum::<usize>(), 10_000_000 + DEFAULT_WINDOW);
    let (least, most) = (received.iter().min().unwrap(), received.iter().max().unwrap());
    assert!(*least > 0 && *most - *least <= 150_000, "between {least} and {most}");
}

#[tokio::test(start_paused = true)]
async fn a_stream_window_that_overflows_resets_the_stream() {
    let harness = harness();
    let mut client = held(harness.client().await);
    client.request(1, &get("/bytes/100000")).await;
    drain(&mut client, 1).await;
    client.send(Frame::window_update(1, 0x7fff_ffff)).await;
    client.send(Frame::window_update(1, 0x7fff_ffff)).await;
    assert_eq!(client.reset_of(1).await, reason::FLOW_CONTROL_ERROR);
    client.send(Frame::window_update(0, 100_000)).await;
    client.assert_usable(3).await;
}

#[tokio::test(start_paused = true)]
async fn a_connection_window_that_overflows_ends_the_connection() {
    let harness = harness();
    let mut client = harness.client().await;
    client.send(Frame::window_update(0, 0x7fff_ffff)).await;
    assert_eq!(client.goaway().await.reason(), reason::FLOW_CONTROL_ERROR);
}

#[tokio::test(start_paused = true)]
async fn an_increment_of_zero_resets_the_stream() {
    let harness = harness();
    let mut client = held(harness.client_with(&[(INITIAL_WINDOW_SIZE, 0)]).await);
    client.request(1, &get("/bytes/10")).await;
    client.next_on(1).await;
    client.send(Frame::window_update(1, 0)).await;
    let frame = client.next().await.unwrap();
    assert!(matches!(frame.kind, Kind::RST_STREAM | Kind::GOAWAY), "{frame:?}");
    assert_eq!(frame.reason(), reason::PROTOCOL_ERROR);
}

#[tokio::test(start_paused = true)]
async fn memory_on_the_way_to_a_stalled_client_is_bounded() {
    let harness = harness_with(|config| {
        config.buffers.max_pending = 200_000;
        config.buffers.response = 50_000;
    });
    let mut client = held(harness.client().await);
    for number in 0..20 {
        client.request(number * 2 + 1, &get("/bytes/100000")).await;
    }
    while !client.is_silent_for(Duration::from_secs(1)).await {
        client.next().await;
    }
    // Two bodies fit; the others are on disk.
    assert!(harness.service.spilled() >= 1_700_000, "{}", harness.service.spilled());
    client.send(Frame::window_update(0, 10_000_000)).await;
    for number in 0..20 {
        client.send(Frame::window_update(number * 2 + 1, 1_000_000)).await;
    }
    let mut total = 0;
    while !client.is_silent_for(Duration::from_secs(1)).await {
        let frame = client.next().await.unwrap();
        assert_ne!(frame.kind, Kind::RST_STREAM);
        total += if frame.kind == Kind::DATA { frame.payload.len() } else { 0 };
    }
    assert_eq!(total, 20 * 100_000 - DEFAULT_WINDOW);
    harness.idle().await;
}
