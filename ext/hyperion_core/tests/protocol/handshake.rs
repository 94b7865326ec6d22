//! Preface, SETTINGS, PING and frames that are not understood (RFC 9113, sections 3.4, 4.1, 5.5, 6.5, 6.7).

use std::time::Duration;

use crate::support::frame::PREFACE;
use crate::support::{Frame, Kind, get, harness, harness_with, post, reason};

#[tokio::test(start_paused = true)]
async fn settings_are_advertised_and_acknowledged() {
    let harness = harness();
    let client = harness.client().await;
    assert!(client.acks == 1);
    for (id, value) in [(3, 128), (4, 1 << 20), (5, 1 << 20), (6, 64 << 10)] {
        assert!(client.server_settings.contains(&(id, value)), "{:?}", client.server_settings);
    }
}

#[tokio::test(start_paused = true)]
async fn frames_that_no_peer_may_send_are_connection_errors() {
    let cases = [
        (Frame::settings(&[(2, 2)]), reason::PROTOCOL_ERROR),
        (Frame::settings(&[(4, 1 << 31)]), reason::FLOW_CONTROL_ERROR),
        (Frame::settings(&[(5, 100)]), reason::PROTOCOL_ERROR),
        (Frame::new(Kind::SETTINGS, 0, 1, []), reason::PROTOCOL_ERROR),
        (Frame::new(Kind::SETTINGS, 0, 0, [0; 5]), reason::FRAME_SIZE_ERROR),
        (Frame::new(Kind::SETTINGS, 1, 0, [0; 6]), reason::FRAME_SIZE_ERROR),
        (Frame::new(Kind::PING, 0, 0, [0; 7]), reason::FRAME_SIZE_ERROR),
        (Frame::new(Kind::PING, 0, 1, [0; 8]), reason::PROTOCOL_ERROR),
        (Frame::new(Kind::WINDOW_UPDATE, 0, 0, [0; 3]), reason::FRAME_SIZE_ERROR),
        (Frame::window_update(0, 0), reason::PROTOCOL_ERROR),
        (Frame::window_update(1, 1), reason::PROTOCOL_ERROR),
        (Frame::data(1, *b"idle"), reason::PROTOCOL_ERROR),
        (Frame::data(0, *b"zero"), reason::PROTOCOL_ERROR),
        (Frame::reset(1, 0), reason::PROTOCOL_ERROR),
        (Frame::reset(0, 0), reason::PROTOCOL_ERROR),
        (Frame::headers(0, []), reason::PROTOCOL_ERROR),
        (Frame::headers(2, []), reason::PROTOCOL_ERROR),
        (Frame::new(Kind::PUSH_PROMISE, 4, 1, [0; 8]), reason::PROTOCOL_ERROR),
        (Frame::new(Kind::CONTINUATION, 4, 1, []), reason::PROTOCOL_ERROR),
        (Frame::new(Kind::GOAWAY, 0, 1, [0; 8]), reason::PROTOCOL_ERROR),
        (Frame::new(Kind::PRIORITY, 0, 0, [0; 5]), reason::PROTOCOL_ERROR),
    ];
    for (frame, expected) in cases {
        let harness = harness();
        let mut client = harness.client().await;
        client.send(frame.clone()).await;
        assert_eq!(client.goaway().await.reason(), expected, "{frame:?}");
        assert!(client.rest().await.is_empty(), "{frame:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn unknown_settings_frames_and_flags_are_ignored() {
    let harness = harness();
    let mut client = harness.client_with(&[(0xff, 7)]).await;
    client.send(Frame::new(Kind(0xbe), 0xff, 0, *b"grease")).await;
    client.send(Frame::new(Kind(0xbe), 0xff, 77, *b"grease")).await;
    client.send(Frame::ping(*b"12345678").flags(0xfe)).await;
    let pong = client.next().await.unwrap();
    assert_eq!((pong.kind, pong.flags, &pong.payload[..]), (Kind::PING, 1, &b"12345678"[..]));
    client.assert_usable(1).await;
}

#[tokio::test(start_paused = true)]
async fn a_wrong_preface_ends_the_connection() {
    for preface in [&b"GET / HTTP/1.1\r\nhost: example.org\r\n\r\n"[..], &PREFACE[..23]] {
        let harness = harness();
        let mut client = harness.raw_client();
        client.write(preface).await;
        client.shutdown().await;
        // At most the server's SETTINGS, which it sends first.
        assert!(client.rest().await.is_empty());
    }
}

#[tokio::test(start_paused = true)]
async fn the_preface_has_settings() {
    let harness = harness();
    let mut client = harness.raw_client();
    client.write(PREFACE).await;
    client.send(Frame::ping([0; 8])).await;
    assert_eq!(client.goaway().await.reason(), reason::PROTOCOL_ERROR);
}

#[tokio::test(start_paused = true)]
async fn the_clients_table_size_is_honoured() {
    const HEADER_TABLE_SIZE: u16 = 1;
    let harness = harness();
    let mut client = harness.client_with(&[(HEADER_TABLE_SIZE, 0)]).await;
    client.request(1, &get("/")).await;
    let first = client.next_on(1).await.payload;
    // A size update comes first (RFC 7541, section 4.2).
    assert_eq!(first[0], 0x20);
    client.decode(&first);
    client.next_on(1).await;
    client.request(3, &get("/")).await;
    let second = client.next_on(3).await.payload;
    assert_eq!(second.len(), first.len() - 1, "nothing was remembered");
    assert_eq!(client.decode(&second)[0], (":status".to_owned(), "200".to_owned()));
}

#[tokio::test(start_paused = true)]
async fn a_frame_larger_than_advertised_is_a_connection_error() {
    let harness = harness_with(|config| config.http2.max_frame_size = 1 << 14);
    let mut client = harness.client().await;
    client.open(1, &post("/echo")).await;
    client.try_send(Frame::data(1, vec![0; (1 << 14) + 1])).await;
    assert_eq!(client.goaway().await.reason(), reason::FRAME_SIZE_ERROR);
    client.rest().await;
}

#[tokio::test(start_paused = true)]
async fn a_smaller_frame_size_of_the_client_is_kept() {
    let harness = harness();
    let mut client = harness.client_with(&[(4, 1 << 20)]).await;
    client.request(1, &get("/bytes/65000")).await;
    let response = client.response(1).await;
    assert!(response.sizes.iter().all(|&size| size <= 1 << 14), "{:?}", response.sizes);
    assert_eq!(response.body.len(), 65000);
    assert!(client.is_silent_for(Duration::from_secs(1)).await);
}
