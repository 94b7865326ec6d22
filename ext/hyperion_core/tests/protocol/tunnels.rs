//! Extended CONNECT (RFC 8441), which the application knows as the upgrade of HTTP/1.1.

use std::time::Duration;

use hyperion_core::response::{Head, Outcome};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio::time::{Instant, timeout};

use crate::support::app::{pattern, sockets};
use crate::support::{Client, Frame, Harness, Kind, harness, reason};

const SWITCHING: &[u8] = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
    Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\nSec-WebSocket-Protocol: chat\r\n\r\n";

fn connect(protocol: &str) -> Vec<(&'static str, &str)> {
    vec![
        (":method", "CONNECT"),
        (":protocol", protocol),
        (":scheme", "https"),
        (":path", "/manual"),
        (":authority", "example.org"),
    ]
}

/// Opens a stream and hands it over.
async fn open(harness: &mut Harness, client: &mut Client, protocol: &str) -> UnixStream {
    client.open(1, &connect(protocol)).await;
    let (ours, theirs) = sockets();
    harness.exchange().await.responder.hijack(ours);
    theirs
}

/// Opens a WebSocket.
async fn websocket(harness: &mut Harness, client: &mut Client) -> UnixStream {
    let mut app = open(harness, client, "websocket").await;
    app.write_all(SWITCHING).await.unwrap();
    assert_eq!(client.next_on(1).await.kind, Kind::HEADERS);
    app
}

async fn read(app: &mut UnixStream, count: usize) -> Vec<u8> {
    let mut bytes = vec![0; count];
    timeout(Duration::from_secs(600), app.read_exact(&mut bytes)).await.expect("bytes in time").unwrap();
    bytes
}

/// The end of what the client sends, or of the client.
async fn read_end(app: &mut UnixStream) {
    assert_eq!(app.read(&mut [0; 8]).await.unwrap(), 0);
}

#[tokio::test(start_paused = true)]
async fn switching_protocols_is_consent() {
    let mut harness = harness();
    let mut client = harness.client().await;
    let mut app = open(&mut harness, &mut client, "websocket").await;
    app.write_all(&[SWITCHING, b"first"].concat()).await.unwrap();
    client.send(Frame::data(1, *b"ping")).await;
    assert_eq!(read(&mut app, 4).await, b"ping");
    app.write_all(b"pong").await.unwrap();
    client.send(Frame::data(1, []).end()).await;
    read_end(&mut app).await;
    app.write_all(b"last").await.unwrap();
    drop(app);
    let response = client.response(1).await;
    assert_eq!((response.status, response.body.as_slice()), (200, &b"firstponglast"[..]));
    let names: Vec<_> = response.fields.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["sec-websocket-protocol", "date"]);
    assert_eq!(harness.outcome().await, Outcome::Sent);
    harness.idle().await;
}

#[tokio::test(start_paused = true)]
async fn a_head_with_101_is_consent_too() {
    let mut harness = harness();
    let mut client = harness.client().await;
    client.open(1, &connect("websocket")).await;
    let (ours, app) = sockets();
    let head = Head::new(http::StatusCode::SWITCHING_PROTOCOLS);
    harness.exchange().await.responder.respond_tunnel(head, ours);
    drop(app);
    assert_eq!(client.response(1).await.status, 200);
}

#[tokio::test(start_paused = true)]
async fn another_status_is_a_response() {
    let mut harness = harness();
    let mut client = harness.client().await;
    let mut app = open(&mut harness, &mut client, "websocket").await;
    app.write_all(b"HTTP/1.1 403 Forbidden\r\ncontent-length: 2\r\n\r\nno, never").await.unwrap();
    let response = client.response(1).await;
    assert_eq!((response.status, response.body.as_slice()), (403, &b"no"[..]));
    harness.idle().await;
}

#[tokio::test(start_paused = true)]
async fn an_ordinary_success_is_no_consent_to_a_websocket() {
    for (protocol, status) in [("websocket", 501), ("connect-udp", 200)] {
        let mut harness = harness();
        let mut client = harness.client().await;
        let mut app = open(&mut harness, &mut client, protocol).await;
        app.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhello").await.unwrap();
        drop(app);
        let response = client.response(1).await;
        assert_eq!((response.status, response.reset), (status, None));
        assert!(response.field("content-length") != Some("100"));
    }
}

#[tokio::test(start_paused = true)]
async fn the_application_may_end_its_side_first() {
    let mut harness = harness();
    let mut client = harness.client().await;
    let mut app = websocket(&mut harness, &mut client).await;
    app.shutdown().await.unwrap();
    assert!(client.next_on(1).await.is_end());
    for _ in 0..10 {
        tokio::time::sleep(Duration::from_secs(20)).await;
        client.send(Frame::data(1, *b"more")).await;
        assert_eq!(read(&mut app, 4).await, b"more");
    }
    assert_eq!(harness.service.admission().in_flight(), 1);
    client.send(Frame::data(1, []).end()).await;
    read_end(&mut app).await;
    harness.idle().await;
}

#[tokio::test(start_paused = true)]
async fn a_client_has_body_timeout_to_end_its_side_as_well() {
    let mut harness = harness();
    let mut client = harness.client().await;
    let mut app = websocket(&mut harness, &mut client).await;
    app.shutdown().await.unwrap();
    let begin = Instant::now();
    read_end(&mut app).await;
    assert_eq!(begin.elapsed().as_secs(), 30);
    harness.idle().await;
}

#[tokio::test(start_paused = true)]
async fn an_application_that_closes_ends_both_sides() {
    let mut harness = harness();
    let mut client = harness.client().await;
    let app = websocket(&mut harness, &mut client).await;
    let begin = Instant::now();
    drop(app);
    assert!(client.next_on(1).await.is_end());
    harness.idle().await;
    assert!(begin.elapsed() < Duration::from_secs(1));
    assert_eq!(client.reset_of(1).await, reason::NO_ERROR);
    client.assert_usable(3).await;
}

#[tokio::test(start_paused = true)]
async fn a_client_that_is_gone_closes_the_socket() {
    for reset in [true, false] {
        let mut harness = harness();
        let mut client = harness.client().await;
        let mut app = websocket(&mut harness, &mut client).await;
        if reset {
            client.send(Frame::reset(1, reason::CANCEL)).await;
        } else {
            drop(client);
        }
        read_end(&mut app).await;
        assert!(app.write_all(b"late").await.is_err());
        assert_eq!(harness.outcome().await, Outcome::Disconnected);
        harness.idle().await;
    }
}

#[tokio::test(start_paused = true)]
async fn silence_has_no_end() {
    let mut harness = harness();
    let mut client = harness.client().await;
    let mut app = websocket(&mut harness, &mut client).await;
    tokio::time::sleep(Duration::from_secs(24 * 3600)).await;
    client.send(Frame::data(1, *b"ping")).await;
    assert_eq!(read(&mut app, 4).await, b"ping");
    tokio::time::sleep(Duration::from_secs(24 * 3600)).await;
    app.write_all(b"pong").await.unwrap();
    assert_eq!(client.next_on(1).await.payload, b"pong");
}

#[tokio::test(start_paused = true)]
async fn an_application_that_does_not_read_holds_up_the_client() {
    const WINDOW: usize = 1024 * 1024;
    let mut harness = harness();
    let mut client = harness.client().await;
    let mut app = websocket(&mut harness, &mut client).await;
    let sent = pattern(WINDOW);
    for chunk in sent.chunks(16 * 1024) {
        client.send(Frame::data(1, chunk)).await;
    }
    assert!(client.is_silent_for(Duration::from_secs(500)).await);
    let returned = |client: &Client| -> usize {
        client.window_updates.iter().filter(|update| update.0 == 1).map(|update| update.1 as usize).sum()
    };
    assert!(returned(&client) < WINDOW, "{}", returned(&client));
    assert!(read(&mut app, WINDOW).await == sent);
    assert!(client.is_silent_for(Duration::from_secs(1)).await);
    assert!(returned(&client) > WINDOW / 2, "{}", returned(&client));
}

#[tokio::test(start_paused = true)]
async fn a_silent_stream_keeps_no_window_from_the_others() {
    let mut harness = harness();
    let mut client = harness.client().await;
    client.refills = false;
    let mut app = websocket(&mut harness, &mut client).await;
    app.write_all(b"hello").await.unwrap();
    assert_eq!(client.next_on(1).await.payload, b"hello");
    // What is left of the connection's window.
    let left = 65_535 - 5;
    client.request(3, &crate::support::get(&format!("/bytes/{left}"))).await;
    assert_eq!(client.response(3).await.body.len(), left);
    // Without any window, silence is no stall.
    tokio::time::sleep(Duration::from_secs(500)).await;
    client.send(Frame::window_update(0, 1000)).await;
    app.write_all(b"again").await.unwrap();
    assert_eq!(client.next_on(1).await.payload, b"again");
}

#[tokio::test(start_paused = true)]
async fn small_messages_are_no_flood() {
    let mut harness = harness();
    let mut client = harness.client().await;
    let mut app = websocket(&mut harness, &mut client).await;
    for round in 0..200 {
        for _ in 0..100 {
            client.send(Frame::data(1, *b"ping")).await;
        }
        assert_eq!(read(&mut app, 400).await.len(), 400, "{round}");
        for _ in 0..20 {
            app.write_all(b"pong").await.unwrap();
            assert_eq!(client.next_on(1).await.payload, b"pong", "{round}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn what_a_client_sends_in_a_conversation_has_no_limit() {
    let mut harness = crate::support::harness_with(|config| config.limits.max_body_size = 10);
    let mut client = harness.client().await;
    let mut app = websocket(&mut harness, &mut client).await;
    client.send(Frame::data(1, [b'x'; 100])).await;
    assert_eq!(read(&mut app, 100).await, [b'x'; 100]);
}

#[tokio::test(start_paused = true)]
async fn a_stop_lets_them_part_and_waits_no_longer() {
    let mut harness = harness();
    let mut client = harness.client().await;
    let mut app = websocket(&mut harness, &mut client).await;
    let service = harness.service.clone();
    let begin = Instant::now();
    let stop = tokio::spawn(async move { service.stop().await });
    client.goaway().await;
    client.send(Frame::data(1, *b"still")).await;
    assert_eq!(read(&mut app, 5).await, b"still");
    assert!(client.next_on(1).await.is_end());
    read_end(&mut app).await;
    stop.await.unwrap();
    assert!(begin.elapsed() < Duration::from_secs(3), "{:?}", begin.elapsed());
    harness.idle().await;
}
