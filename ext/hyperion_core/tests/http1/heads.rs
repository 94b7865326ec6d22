//! Heads that are refused: the application never sees them, and the connection ends with the answer.

use crate::support::app::Harness;
use crate::support::{harness, harness_with};

/// The status that this request gets, before the connection ends.
async fn refused(harness: &mut Harness, request: &str) -> u16 {
    let mut client = harness.text_client();
    client.send(request).await;
    let answer = client.answer().await;
    assert!(answer.closes(), "{request:?}: {answer:?}");
    client.assert_closed().await;
    assert!(!harness.was_called(), "{request:?}");
    answer.status
}

#[tokio::test(start_paused = true)]
async fn what_could_smuggle_a_request_is_refused() {
    let mut harness = harness();
    for fields in [
        "content-length: 1\r\ntransfer-encoding: chunked\r\n",
        "content-length: 1\r\ncontent-length: 1\r\n",
        "content-length: 1, 1\r\n",
        "transfer-encoding: gzip, chunked\r\n",
        "transfer-encoding: identity\r\n",
        "content-length : 1\r\n",
        "a: b\r\n c\r\n",
        "a: b\n",
        "a: b\rc: d\r\n",
        "a: b\0\r\n",
    ] {
        let request = format!("POST /manual HTTP/1.1\r\nhost: a\r\n{fields}\r\n0\r\n\r\n");
        assert_eq!(refused(&mut harness, &request).await, 400, "{fields:?}");
    }
    let old = "POST /manual HTTP/1.0\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n";
    assert_eq!(refused(&mut harness, old).await, 400);
    let events = harness.events();
    assert_eq!(events.iter().filter(|event| event.starts_with("request rejected")).count(), 11, "{events:?}");
    harness.idle().await;
}

#[tokio::test(start_paused = true)]
async fn the_host_is_named_once() {
    let mut harness = harness();
    for fields in [
        "",
        "host: a\r\nhost: a\r\n",
        "host: a\r\nHost: b\r\n",
        "host: a b\r\n",
        "host: u@a\r\n",
        "host:\r\n",
        "host: a:b\r\n",
        "host: a:65536\r\n",
    ] {
        let request = format!("GET /manual HTTP/1.1\r\n{fields}\r\n");
        assert_eq!(refused(&mut harness, &request).await, 400, "{fields:?}");
    }
    for target in ["ftp://a/manual", "a.test", "*", "http://u@a/manual", "manual", "?manual", ":/manual"] {
        let request = format!("GET {target} HTTP/1.1\r\nhost: a\r\n\r\n");
        assert_eq!(refused(&mut harness, &request).await, 400, "{target:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn heads_have_limits() {
    let mut harness = harness_with(|config| config.http2.max_header_list_size = 1000);
    let long = format!("GET /manual{} HTTP/1.1\r\n", "x".repeat(16 * 1024));
    assert_eq!(refused(&mut harness, &long).await, 414);
    let endless = "x".repeat(17 * 1024);
    assert_eq!(refused(&mut harness, &endless).await, 414);
    let request = |fields: &str| format!("GET /manual HTTP/1.1\r\nhost: a\r\n{fields}\r\n");
    assert_eq!(refused(&mut harness, &request(&format!("a: {}\r\n", "x".repeat(1000)))).await, 431);
    assert_eq!(refused(&mut harness, &request(&"a: b\r\n".repeat(100))).await, 431);
    assert_eq!(refused(&mut harness, "GET /manual HTTP/2.0\r\n\r\n").await, 505);
}

#[tokio::test(start_paused = true)]
async fn the_largest_head_is_served() {
    let harness = harness();
    let mut client = harness.text_client();
    let target = format!("/{}", "x".repeat(16 * 1024 - 15));
    let fields = format!("a: {}\r\n", "x".repeat(64 * 1024 - 20));
    client.send(format!("GET {target} HTTP/1.1\r\nhost: a\r\n{fields}\r\n")).await;
    assert_eq!(client.answer().await.status, 200);
    client.send(format!("GET / HTTP/1.1\r\nhost: a\r\n{}\r\n", "a: b\r\n".repeat(99))).await;
    assert_eq!(client.answer().await.status, 200);
}

#[tokio::test(start_paused = true)]
async fn a_bad_head_waits_for_the_response_before_it() {
    let mut harness = harness();
    let mut client = harness.text_client();
    client.send("GET /manual HTTP/1.1\r\nhost: a\r\n\r\nGET /manual HTTP/1.1\nhost: a\r\n\r\n").await;
    harness.exchange().await.responder.respond_full(crate::support::app::ok(), "first".into());
    assert_eq!(client.answer().await.text(), "first");
    assert_eq!(client.answer().await.status, 400);
    client.assert_closed().await;
    assert!(!harness.was_called());
}

#[tokio::test(start_paused = true)]
async fn a_head_may_come_byte_by_byte() {
    let harness = harness();
    let mut client = harness.text_client();
    for byte in b"\r\nGET / HTTP/1.1\r\nhost: a\r\n\r\n" {
        client.send([*byte]).await;
        tokio::task::yield_now().await;
    }
    assert_eq!(client.answer().await.text(), "hello");
}

/// As over HTTP/2: not every client percent-encodes it.
#[tokio::test(start_paused = true)]
async fn utf8_in_a_target_is_what_the_client_wrote() {
    let mut harness = harness();
    let mut client = harness.text_client();
    client.send("GET /manual/caf\u{e9}?\u{e9} HTTP/1.1\r\nhost: a\r\n\r\n").await;
    let exchange = harness.exchange().await;
    assert_eq!(exchange.request.target.as_str(), "/manual/caf\u{e9}?\u{e9}");
}
