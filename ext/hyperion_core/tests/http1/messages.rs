//! Requests and responses on one connection (RFC 9112, section 9).

use std::time::Duration;

use http::StatusCode;
use hyperion_core::body::{Offer, RequestBody};
use hyperion_core::request::Protocol;
use hyperion_core::response::{Head, Outcome};

use crate::support::app::ok;
use crate::support::{get, harness};

#[tokio::test(start_paused = true)]
async fn a_connection_serves_one_request_after_another() {
    let harness = harness();
    let mut client = harness.text_client();
    for _ in 0..3 {
        let answer = client.get("/").await;
        assert_eq!((answer.version.as_str(), answer.status, answer.text()), ("HTTP/1.1", 200, "hello"));
        assert_eq!((answer.field("content-length"), answer.field("connection")), (Some("5"), None));
        assert!(answer.field("date").is_some());
    }
    client.shutdown().await;
    client.assert_closed().await;
    harness.idle().await;
}

#[tokio::test(start_paused = true)]
async fn requests_in_a_row_are_answered_in_order() {
    let harness = harness();
    let mut client = harness.text_client();
    let head = |path| format!("GET {path} HTTP/1.1\r\nhost: a\r\n\r\n");
    let body = "POST /echo HTTP/1.1\r\nhost: a\r\ncontent-length: 3\r\n\r\nabc";
    client.send([&*head("/bytes/3"), body, &head("/stream/2"), &head("/")].concat()).await;
    client.shutdown().await;
    assert_eq!(client.answer().await.body, [0, 1, 2]);
    assert_eq!(client.answer().await.text(), "abc");
    assert_eq!(client.answer().await.body, [0, 1]);
    assert_eq!(client.answer().await.text(), "hello");
    client.assert_closed().await;
}

#[tokio::test(start_paused = true)]
async fn one_request_at_a_time_reaches_the_application() {
    let mut harness = harness();
    let mut client = harness.text_client();
    let head = "GET /manual HTTP/1.1\r\nhost: a\r\n\r\n";
    client.send([head, head].concat()).await;
    let first = harness.exchange().await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert!(!harness.was_called());
    first.responder.respond_empty(ok());
    assert_eq!(client.answer().await.status, 200);
    harness.exchange().await.responder.respond_empty(Head::new(StatusCode::NO_CONTENT));
    assert_eq!(client.answer().await.status, 204);
}

#[tokio::test(start_paused = true)]
async fn close_is_kept_whoever_asks_for_it() {
    let mut harness = harness();
    let mut client = harness.text_client();
    client.send("GET / HTTP/1.1\r\nhost: a\r\nconnection: x, Close\r\n\r\nGET / HTTP/1.1\r\n").await;
    let answer = client.answer().await;
    assert!(answer.closes(), "{answer:?}");
    client.assert_closed().await;

    let mut client = harness.text_client();
    client.send("GET /manual HTTP/1.1\r\nhost: a\r\n\r\n").await;
    let mut head = ok();
    head.push(http::header::CONNECTION, b"close").unwrap();
    harness.exchange().await.responder.respond_empty(head);
    assert!(client.answer().await.closes());
    client.assert_closed().await;
}

#[tokio::test(start_paused = true)]
async fn http_1_0_closes_unless_it_is_asked_not_to() {
    let mut harness = harness();
    let mut client = harness.text_client();
    client.send("GET / HTTP/1.0\r\n\r\n").await;
    let answer = client.answer().await;
    assert_eq!((answer.version.as_str(), answer.text()), ("HTTP/1.0", "hello"));
    client.assert_closed().await;

    let mut client = harness.text_client();
    client.send("GET /manual HTTP/1.0\r\nconnection: Keep-Alive\r\n\r\n").await;
    let exchange = harness.exchange().await;
    assert_eq!(exchange.request.protocol, Protocol::Http10);
    assert_eq!(exchange.request.authority, "");
    exchange.responder.respond_empty(ok());
    assert_eq!(client.answer().await.field("connection"), Some("keep-alive"));
    client.send("GET /manual HTTP/1.0\r\nconnection: keep-alive\r\n\r\n").await;
    // Complete before its head leaves.
    let sender = harness.exchange().await.responder.respond_streaming(ok());
    assert!(matches!(sender.offer("abc".into()), Ok(Offer::Taken)));
    sender.finish(None);
    let answer = client.answer().await;
    assert_eq!((answer.field("connection"), answer.text()), (Some("keep-alive"), "abc"));
    client.send("GET /manual HTTP/1.0\r\nconnection: keep-alive\r\nhost: a\r\n\r\n").await;
    let sender = harness.exchange().await.responder.respond_streaming(ok());
    let head = client.head().await;
    assert_eq!((head.field("transfer-encoding"), head.closes()), (None, true), "{head:?}");
    assert!(matches!(sender.offer("abc".into()), Ok(Offer::Taken)));
    sender.finish(None);
    assert_eq!(client.rest().await, b"abc");
    client.assert_closed().await;

    let mut client = harness.text_client();
    client.send("GET / HTTP/1.0\r\nconnection: close, keep-alive\r\n\r\n").await;
    assert!(client.answer().await.closes());
    client.assert_closed().await;
}

#[tokio::test(start_paused = true)]
async fn the_target_says_what_is_asked_of_whom() {
    let mut harness = harness();
    for (target, authority, path) in [
        ("/manual?a=%20b", "host.test", "/manual?a=%20b"),
        ("http://Named.test:81/manual", "Named.test:81", "/manual"),
        ("https://named.test/manual?", "named.test", "/manual?"),
    ] {
        let mut client = harness.text_client();
        client.send(format!("GET {target} HTTP/1.1\r\nHost: host.test\r\n\r\n")).await;
        let request = harness.exchange().await.request;
        assert_eq!((&*request.target.to_string(), request.protocol), (path, Protocol::Http11));
        assert_eq!(request.authority, authority);
        assert!(!request.headers.contains_key("host"));
        assert_eq!(client.answer().await.status, 500);
    }
    let mut client = harness.text_client();
    client.send("GET http://a?b HTTP/1.1\r\nhost: a\r\n\r\n").await;
    assert_eq!(client.answer().await.text(), "hello");
    client.send("OPTIONS * HTTP/1.1\r\nhost: a\r\n\r\n").await;
    assert_eq!(client.answer().await.status, 200);
    client.send("CONNECT a:443 HTTP/1.1\r\nhost: a:443\r\n\r\n").await;
    assert_eq!(client.answer().await.status, 501);
}

#[tokio::test(start_paused = true)]
async fn both_protocols_are_told_apart_on_one_port() {
    let harness = harness();
    let mut client = harness.client().await;
    client.request(1, &get("/")).await;
    assert_eq!(client.response(1).await.status, 200);
    harness.text_client().assert_usable().await;
    // The upgrade to HTTP/2 was never in use, and RFC 9113 has no more of it.
    let mut client = harness.text_client();
    client.send("GET / HTTP/1.1\r\nhost: a\r\nconnection: upgrade, http2-settings\r\nupgrade: h2c\r\nhttp2-settings: \r\n\r\n").await;
    assert_eq!(client.answer().await.status, 200);
    client.assert_usable().await;
}

#[tokio::test(start_paused = true)]
async fn a_client_that_has_ended_its_half_gets_its_response() {
    let mut harness = harness();
    let mut client = harness.text_client();
    client.send("GET /manual HTTP/1.1\r\nhost: a\r\n\r\n").await;
    client.shutdown().await;
    let mut exchange = harness.exchange().await;
    tokio::time::sleep(Duration::from_secs(5)).await;
    assert!(!exchange.responder.is_disconnected());
    exchange.responder.respond_full(ok(), "late".into());
    assert_eq!(client.answer().await.text(), "late");
    assert_eq!(harness.outcome().await, Outcome::Sent);
    client.assert_closed().await;
}

#[tokio::test(start_paused = true)]
async fn the_hints_come_before_the_response() {
    let mut harness = harness();
    let hints = || {
        let mut head = Head::new(StatusCode::from_u16(103).unwrap());
        head.push(http::header::LINK, b"</a.css>; rel=preload").unwrap();
        head
    };
    let mut client = harness.text_client();
    client.send("GET /manual HTTP/1.1\r\nhost: a\r\n\r\n").await;
    let mut exchange = harness.exchange().await;
    exchange.responder.inform(hints());
    let answer = client.answer().await;
    assert_eq!((answer.status, answer.field("link")), (103, Some("</a.css>; rel=preload")));
    exchange.responder.inform(hints());
    exchange.responder.respond_full(ok(), "body".into());
    assert_eq!(client.answer().await.status, 103);
    assert_eq!(client.answer().await.text(), "body");
    client.send("GET /manual HTTP/1.0\r\n\r\n").await;
    let mut exchange = harness.exchange().await;
    exchange.responder.inform(hints());
    exchange.responder.respond_empty(ok());
    assert_eq!(client.answer().await.status, 200);
}

#[tokio::test(start_paused = true)]
async fn a_responder_that_is_dropped_answers_500() {
    let mut harness = harness();
    let mut client = harness.text_client();
    client.send("GET /manual HTTP/1.1\r\nhost: a\r\n\r\n").await;
    drop(harness.exchange().await);
    assert_eq!(client.answer().await.status, 500);
    client.assert_usable().await;
}

#[tokio::test(start_paused = true)]
async fn requests_beyond_the_maximum_are_told_to_come_again() {
    let mut harness = crate::support::harness_with(|config| config.limits.max_in_flight = 1);
    let (mut first, mut second) = (harness.text_client(), harness.text_client());
    first.send("GET /manual HTTP/1.1\r\nhost: a\r\n\r\n").await;
    let exchange = harness.exchange().await;
    let answer = second.get("/").await;
    assert_eq!((answer.status, answer.field("retry-after")), (503, Some("1")));
    exchange.responder.respond_empty(ok());
    assert_eq!(first.answer().await.status, 200);
    second.assert_usable().await;
}

#[tokio::test(start_paused = true)]
async fn a_request_without_a_body_has_none() {
    let mut harness = harness();
    let mut client = harness.text_client();
    client.send("POST /manual HTTP/1.1\r\nhost: a\r\ncontent-length: 0\r\n\r\n").await;
    let exchange = harness.exchange().await;
    assert!(matches!(exchange.body, RequestBody::Empty));
}
