//! Connections that are left to the application, by a socket.

use std::time::Duration;

use http::StatusCode;
use http::header::{CONNECTION, CONTENT_LENGTH, CONTENT_TYPE, UPGRADE};
use hyperion_core::body::RequestBody;
use hyperion_core::response::{Head, Outcome, Upgrade};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio::time::{Instant, timeout};

use crate::support::app::{ok, read, sockets};
use crate::support::{Harness, TextClient, harness, harness_with};

const GET: &str = "GET /manual HTTP/1.1\r\nhost: a\r\n\r\n";
const UPGRADING: &str =
    "GET /manual HTTP/1.1\r\nhost: a\r\nconnection: keep-alive, Upgrade\r\nupgrade: websocket, x\r\n\r\n";

async fn hijack(harness: &mut Harness, client: &mut TextClient, request: &str) -> UnixStream {
    client.send(request).await;
    let (ours, app) = sockets();
    harness.exchange().await.responder.hijack(ours);
    app
}

async fn read_exactly(app: &mut UnixStream, count: usize) -> String {
    let mut bytes = vec![0; count];
    timeout(Duration::from_secs(600), app.read_exact(&mut bytes)).await.expect("bytes in time").unwrap();
    String::from_utf8(bytes).unwrap()
}

#[tokio::test(start_paused = true)]
async fn bytes_go_as_they_are_after_what_was_answered_before() {
    let mut harness = harness();
    let mut client = harness.text_client();
    let requests = ["GET / HTTP/1.1\r\nhost: a\r\n\r\n", GET, "early"].concat();
    let mut app = hijack(&mut harness, &mut client, &requests).await;
    app.write_all(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n\0raw").await.unwrap();
    assert_eq!(client.answer().await.text(), "hello");
    assert_eq!(harness.outcome().await, Outcome::Sent);
    assert_eq!(read_exactly(&mut app, 5).await, "early");
    client.send("late").await;
    assert_eq!(read_exactly(&mut app, 4).await, "late");
    assert_eq!(harness.service.admission().in_flight(), 1);
    client.shutdown().await;
    assert_eq!(app.read(&mut [0; 8]).await.unwrap(), 0);
    app.write_all(b", and the rest").await.unwrap();
    drop(app);
    let response = client.answer().await;
    assert_eq!((response.status, response.text()), (200, "\0raw, and the rest"));
    assert_eq!(harness.outcome().await, Outcome::Sent);
    harness.idle().await;
}

#[tokio::test(start_paused = true)]
async fn after_a_head_of_its_own_the_connection_is_the_applications() {
    let mut harness = harness();
    let mut client = harness.text_client();
    for with_length in [false, true] {
        client = harness.text_client();
        client.send(GET).await;
        let (ours, mut app) = sockets();
        let mut head = ok();
        head.push(CONTENT_TYPE, b"text/plain").unwrap();
        head.push(CONNECTION, b"keep-alive").unwrap();
        if with_length {
            head.push(CONTENT_LENGTH, b"4").unwrap();
        }
        harness.exchange().await.responder.respond_tunnel(head, ours);
        app.write_all(b"body").await.unwrap();
        app.shutdown().await.unwrap();
        let response = client.answer().await;
        assert_eq!((response.status, response.text(), response.closes()), (200, "body", true));
        assert_eq!(response.field("content-type"), Some("text/plain"));
        assert!(response.field("date").is_some());
        client.send("more").await;
        assert_eq!(read_exactly(&mut app, 4).await, "more");
        client.shutdown().await;
        harness.idle().await;
    }
    client.assert_closed().await;
}

#[tokio::test(start_paused = true)]
async fn another_protocol_is_switched_to() {
    let mut harness = harness();
    let mut client = harness.text_client();
    client.send(UPGRADING).await;
    let exchange = harness.exchange().await;
    assert_eq!(exchange.request.protocols().collect::<Vec<_>>(), [&b"websocket"[..], b"x"]);
    assert_eq!(exchange.responder.upgrade(), Some(Upgrade::Switch));
    let (ours, mut app) = sockets();
    let mut head = Head::new(StatusCode::SWITCHING_PROTOCOLS);
    head.push(UPGRADE, b"websocket").unwrap();
    head.push(CONTENT_LENGTH, b"0").unwrap();
    exchange.responder.respond_tunnel(head, ours);
    let response = client.head().await;
    assert_eq!(response.status, 101);
    assert_eq!(
        (response.field("connection"), response.field("upgrade")),
        (Some("upgrade"), Some("websocket"))
    );
    assert_eq!(response.field("content-length"), None);
    client.send("to the application").await;
    assert_eq!(read_exactly(&mut app, 18).await, "to the application");
    app.write_all(b"to the client\r\n").await.unwrap();
    assert_eq!(client.line().await, "to the client");
}

#[tokio::test(start_paused = true)]
async fn an_upgrade_that_is_not_the_connections_is_none() {
    let heads = [
        "GET /manual HTTP/1.1\r\nhost: a\r\nupgrade: websocket\r\n\r\n",
        "GET /manual HTTP/1.0\r\nhost: a\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n",
        GET,
    ];
    for head in heads {
        let mut harness = harness();
        let mut client = harness.text_client();
        client.send(head).await;
        let exchange = harness.exchange().await;
        assert_eq!(exchange.request.protocols().count(), 0, "{head:?}");
        assert_eq!(exchange.responder.upgrade(), None);
    }
}

#[tokio::test(start_paused = true)]
async fn a_client_that_is_gone_closes_the_socket() {
    let mut harness = harness();
    let mut client = harness.text_client();
    let mut app = hijack(&mut harness, &mut client, UPGRADING).await;
    drop(client);
    assert_eq!(app.read(&mut [0; 8]).await.unwrap(), 0);
    while app.write_all(b"late").await.is_ok() {
        tokio::task::yield_now().await;
    }
    assert_eq!(harness.outcome().await, Outcome::Disconnected);
    harness.idle().await;
}

#[tokio::test(start_paused = true)]
async fn a_client_that_takes_nothing_is_cut_off() {
    let mut harness = harness();
    let mut client = harness.text_client();
    let mut app = hijack(&mut harness, &mut client, UPGRADING).await;
    let begin = Instant::now();
    assert!(app.write_all(&vec![0; 8 * 1024 * 1024]).await.is_err());
    assert_eq!((begin.elapsed().as_secs(), harness.outcome().await), (30, Outcome::TimedOut));
}

#[tokio::test(start_paused = true)]
async fn the_socket_has_what_is_left_of_the_request() {
    let mut harness = harness_with(|config| config.buffers.request_buffering = false);
    let mut client = harness.text_client();
    client.send("POST /manual HTTP/1.1\r\nhost: a\r\ncontent-length: 11\r\n\r\nbefore").await;
    let exchange = harness.exchange().await;
    let RequestBody::Incoming(incoming) = exchange.body else { panic!() };
    assert_eq!(read(&incoming).await.unwrap().unwrap(), "before");
    let (ours, mut app) = sockets();
    exchange.responder.hijack(ours);
    client.send("after").await;
    assert_eq!(read_exactly(&mut app, 5).await, "after");
    assert_eq!(read(&incoming).await, Ok(None));
    client.send("and more").await;
    assert_eq!(read_exactly(&mut app, 8).await, "and more");
}

#[tokio::test(start_paused = true)]
async fn a_chunked_body_that_is_not_over_does_not_end_the_connection() {
    let mut harness = harness_with(|config| config.buffers.request_buffering = false);
    let mut client = harness.text_client();
    client
        .send("POST /manual HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n6\r\nbefore\r\n")
        .await;
    let (ours, mut app) = sockets();
    harness.exchange().await.responder.hijack(ours);
    assert_eq!(read_exactly(&mut app, 6).await, "before");
    // From here on nobody knows of chunks.
    client.send("5\r\nafter\r\n").await;
    assert_eq!(read_exactly(&mut app, 10).await, "5\r\nafter\r\n");
    app.write_all(b"HTTP/1.1 204 No Content\r\n\r\n").await.unwrap();
    assert_eq!(client.answer().await.status, 204);
}

#[tokio::test(start_paused = true)]
async fn a_stop_waits_for_a_response_by_hand_and_not_for_a_conversation() {
    for (request, seconds) in [(UPGRADING, 1), (GET, 30)] {
        let mut harness = harness();
        let mut client = harness.text_client();
        let mut app = hijack(&mut harness, &mut client, request).await;
        app.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await.unwrap();
        client.head().await;
        let begin = Instant::now();
        let service = harness.service.clone();
        let stop = tokio::spawn(async move { service.stop().await });
        app.write_all(b"last words\r\n").await.unwrap();
        assert_eq!(client.line().await, "last words");
        assert_eq!(app.read(&mut [0; 8]).await.unwrap(), 0);
        assert_eq!(begin.elapsed().as_secs(), seconds);
        client.assert_closed().await;
        stop.await.unwrap();
        harness.idle().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_status_that_is_written_by_hand_is_counted() {
    let texts = [
        ("HTTP/1.1 101 Switching Protocols\r\n\r\nHTTP/1.1 500 no head", Some(101)),
        ("HTTP/1.0 404 Not Found\r\n\r\n", Some(404)),
        ("HTTP/1.1 1000 x\r\n", None),
        ("anything else", None),
    ];
    for (text, status) in texts {
        let mut harness = harness();
        let mut client = harness.text_client();
        let mut app = hijack(&mut harness, &mut client, UPGRADING).await;
        app.write_all(text.as_bytes()).await.unwrap();
        drop(app);
        client.rest().await;
        harness.idle().await;
        let counted = harness.service.observer().metrics.snapshot().statuses;
        assert_eq!(counted.into_iter().map(|(status, _)| status).next(), status, "{text:?}");
    }
}
