//! How responses are framed (RFC 9112, sections 6 and 7).

use std::io::Write;
use std::time::Duration;

use bytes::Bytes;
use http::header::{CONNECTION, CONTENT_LENGTH, HeaderName, TRAILER, TRANSFER_ENCODING};
use http::{HeaderMap, HeaderValue, StatusCode};
use hyperion_core::body::FileBody;
use hyperion_core::response::{Head, Outcome};

use crate::support::app::{Harness, ok, pattern, push};
use crate::support::{TextClient, harness, harness_with};

async fn open(harness: &mut Harness, method: &str) -> (TextClient, hyperion_core::Exchange) {
    let mut client = harness.text_client();
    client.send(format!("{method} /manual HTTP/1.1\r\nhost: a\r\nte: trailers\r\n\r\n")).await;
    (client, harness.exchange().await)
}

#[tokio::test(start_paused = true)]
async fn bodies_of_many_sizes_arrive_however_they_are_made() {
    let harness = harness_with(|config| config.server_header = Some(HeaderValue::from_static("test")));
    let mut client = harness.text_client();
    for size in [0, 1, 1000, 64 * 1024, 300_000, 3_000_000] {
        let answer = client.get(&format!("/bytes/{size}")).await;
        assert_eq!(
            (answer.field("content-length"), answer.field("server")),
            (Some(&*size.to_string()), Some("test"))
        );
        assert!(answer.body == pattern(size), "{size}");
        let answer = client.get(&format!("/stream/{size}")).await;
        assert!(answer.body == pattern(size), "{size}");
    }
    harness.idle().await;
}

#[tokio::test(start_paused = true)]
async fn a_file_is_sent() {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(&pattern(700_000)).unwrap();
    let mut harness = harness();
    let (mut client, exchange) = open(&mut harness, "GET").await;
    exchange.responder.respond_file(ok(), FileBody::open(file.path()).unwrap());
    let answer = client.answer().await;
    assert_eq!((answer.field("content-length"), answer.body == pattern(700_000)), (Some("700000"), true));
    assert_eq!(harness.outcome().await, Outcome::Sent);
    client.assert_usable().await;
}

#[tokio::test(start_paused = true)]
async fn a_head_has_no_body_and_keeps_its_length() {
    let mut harness = harness();
    let (mut client, exchange) = open(&mut harness, "HEAD").await;
    assert!(exchange.responder.is_head());
    let mut head = ok();
    head.push(CONTENT_LENGTH, b"1234").unwrap();
    exchange.responder.respond_full(head, "hello".into());
    assert_eq!(client.head().await.field("content-length"), Some("1234"));
    client.assert_usable().await;
}

#[tokio::test(start_paused = true)]
async fn some_statuses_have_no_body() {
    let mut harness = harness();
    for status in [204, 304] {
        let (mut client, exchange) = open(&mut harness, "GET").await;
        let head = Head::new(StatusCode::from_u16(status).unwrap());
        exchange.responder.respond_full(head, "hello".into());
        let answer = client.head().await;
        assert_eq!((answer.status, answer.field("transfer-encoding")), (status, None));
        assert_eq!(answer.field("content-length"), None);
        client.assert_usable().await;
    }
}

#[tokio::test(start_paused = true)]
async fn an_informational_status_is_no_response() {
    let mut harness = harness();
    let (mut client, exchange) = open(&mut harness, "GET").await;
    exchange.responder.respond_empty(Head::new(StatusCode::PROCESSING));
    assert_eq!(client.answer().await.status, 500);
    assert_eq!(harness.complaints().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_status_that_nobody_knows_has_a_reason_all_the_same() {
    let mut harness = harness();
    let (mut client, exchange) = open(&mut harness, "GET").await;
    exchange.responder.respond_empty(Head::new(StatusCode::from_u16(599).unwrap()));
    assert_eq!(client.line().await, "HTTP/1.1 599 Unknown");
}

#[tokio::test(start_paused = true)]
async fn pieces_leave_as_they_are_made() {
    let mut harness = harness();
    let (mut client, exchange) = open(&mut harness, "GET").await;
    let sender = exchange.responder.respond_streaming(ok());
    let answer = client.head().await;
    assert_eq!((answer.field("transfer-encoding"), answer.field("content-length")), (Some("chunked"), None));
    for piece in ["one", "two"] {
        push(&sender, piece.into()).await.unwrap();
        assert_eq!(client.chunk().await, piece.as_bytes());
        assert!(client.is_silent(Duration::from_secs(1)).await);
    }
    sender.finish(None);
    assert_eq!(client.chunk().await, b"");
}

#[tokio::test(start_paused = true)]
async fn a_promised_length_needs_no_chunks() {
    let mut harness = harness();
    let (mut client, exchange) = open(&mut harness, "GET").await;
    let mut head = ok();
    head.push(CONTENT_LENGTH, b"6").unwrap();
    let sender = exchange.responder.respond_streaming(head);
    push(&sender, "abc".into()).await.unwrap();
    push(&sender, "def".into()).await.unwrap();
    sender.finish(None);
    let answer = client.answer().await;
    assert_eq!((answer.field("transfer-encoding"), answer.text()), (None, "abcdef"));
    client.assert_usable().await;
}

#[tokio::test(start_paused = true)]
async fn trailers_are_sent_when_they_are_announced_and_wanted() {
    let mut harness = harness();
    let trailers =
        || HeaderMap::from_iter([(HeaderName::from_static("checksum"), HeaderValue::from_static("7"))]);
    let head = || {
        let mut head = ok();
        head.push(TRAILER, b"Checksum").unwrap();
        head
    };
    let (mut client, exchange) = open(&mut harness, "GET").await;
    let sender = exchange.responder.respond_streaming(head());
    push(&sender, "abc".into()).await.unwrap();
    sender.finish(Some(trailers()));
    let answer = client.answer().await;
    assert_eq!(answer.trailers, Some(vec![("checksum".into(), "7".into())]));
    client.send("GET /manual HTTP/1.1\r\nhost: a\r\n\r\n").await;
    let sender = harness.exchange().await.responder.respond_streaming(head());
    push(&sender, "abc".into()).await.unwrap();
    sender.finish(Some(trailers()));
    assert_eq!(client.answer().await.trailers, None);
    client.assert_usable().await;
}

#[tokio::test(start_paused = true)]
async fn a_response_that_fails_is_not_taken_for_a_whole_one() {
    let mut harness = harness();
    let (mut client, exchange) = open(&mut harness, "GET").await;
    let sender = exchange.responder.respond_streaming(ok());
    push(&sender, "abc".into()).await.unwrap();
    client.head().await;
    assert_eq!(client.chunk().await, b"abc");
    drop(sender);
    client.assert_closed().await;
    assert_eq!(harness.outcome().await, Outcome::Failed);

    let (mut client, exchange) = open(&mut harness, "GET").await;
    let mut head = ok();
    head.push(CONTENT_LENGTH, b"6").unwrap();
    let sender = exchange.responder.respond_streaming(head);
    push(&sender, "abc".into()).await.unwrap();
    client.head().await;
    sender.finish(None);
    assert_eq!(client.rest().await, b"abc");
    assert_eq!(harness.outcome().await, Outcome::Failed);
}

#[tokio::test(start_paused = true)]
async fn what_comes_before_a_failure_is_sent() {
    for size in [3, 600_000] {
        let mut harness = harness();
        let (mut client, exchange) = open(&mut harness, "GET").await;
        let sender = exchange.responder.respond_streaming(ok());
        push(&sender, pattern(size)).await.unwrap();
        drop(sender);
        client.head().await;
        let mut body = Vec::new();
        while body.len() < size {
            body.extend(client.chunk().await);
        }
        assert!(body == pattern(size), "{size}");
        client.assert_closed().await;
        assert_eq!(harness.outcome().await, Outcome::Failed);
    }
}

#[tokio::test(start_paused = true)]
async fn fields_about_the_connection_are_the_servers() {
    let mut harness = harness();
    let (mut client, exchange) = open(&mut harness, "GET").await;
    let mut head = ok();
    for (name, value) in [(CONNECTION, "x-a, upgrade"), (TRANSFER_ENCODING, "identity")] {
        head.push(name, value.as_bytes()).unwrap();
    }
    head.push(HeaderName::from_static("keep-alive"), b"timeout=5").unwrap();
    head.push(CONTENT_LENGTH, b"99").unwrap();
    exchange.responder.respond_full(head, "hello".into());
    let answer = client.answer().await;
    for name in ["connection", "transfer-encoding", "keep-alive"] {
        assert_eq!(answer.field(name), None, "{name}");
    }
    assert_eq!(answer.text(), "hello");
    assert_eq!(harness.complaints().len(), 1);
    client.assert_usable().await;
}

#[tokio::test(start_paused = true)]
async fn a_slow_reader_holds_up_no_producer() {
    let mut harness = harness_with(|config| config.buffers.response = 64 * 1024);
    let mut client = TextClient::new(harness.connect(1024));
    client.send("GET /manual HTTP/1.1\r\nhost: a\r\n\r\n").await;
    let sender = harness.exchange().await.responder.respond_streaming(ok());
    let whole = pattern(4_000_000);
    let produce = async {
        for at in (0..whole.len()).step_by(50_000) {
            push(&sender, whole.slice(at..at + 50_000)).await.unwrap();
        }
        sender.finish(None);
    };
    tokio::time::timeout(Duration::from_secs(1), produce).await.expect("the rest spills");
    assert!(harness.service.spilled() > 3_000_000);
    assert!(client.answer().await.body == whole);
    harness.idle().await;
}

#[tokio::test(start_paused = true)]
async fn a_client_that_goes_away_is_noticed() {
    let mut harness = harness();
    let (client, mut exchange) = open(&mut harness, "GET").await;
    drop(client);
    // That it only ended its half cannot be told: the first write does.
    assert!(!exchange.responder.is_disconnected());
    let sender = exchange.responder.respond_streaming(ok());
    let chunk = Bytes::from_static(b"some bytes");
    let push = async {
        while push(&sender, chunk.clone()).await.is_ok() {
            tokio::task::yield_now().await
        }
    };
    tokio::time::timeout(Duration::from_secs(60), push).await.expect("the connection is gone");
    assert_eq!(harness.outcome().await, Outcome::Disconnected);
    harness.idle().await;
}

/// A head that says that the application has chunked the body by itself.
fn coded() -> Head {
    let mut head = ok();
    head.push(TRANSFER_ENCODING, b"chunked").unwrap();
    head.push(CONTENT_LENGTH, b"1").unwrap();
    head
}

#[tokio::test(start_paused = true)]
async fn a_body_that_the_application_has_chunked_is_not_chunked_twice() {
    let mut harness = harness();
    let (mut client, exchange) = open(&mut harness, "GET").await;
    exchange.responder.respond_full(coded(), "3\r\nabc\r\n0\r\n\r\n".into());
    let answer = client.answer().await;
    assert_eq!((answer.text(), answer.field("content-length")), ("abc", Some("3")));
    client.send("GET /manual HTTP/1.1\r\nhost: a\r\n\r\n").await;
    let sender = harness.exchange().await.responder.respond_streaming(coded());
    for piece in ["3\r\nab", "c\r\n4\r\ndefg\r\n0\r\n", "\r\n"] {
        push(&sender, piece.into()).await.unwrap();
    }
    sender.finish(None);
    let answer = client.answer().await;
    assert_eq!((answer.text(), answer.field("content-length")), ("abcdefg", None));
    client.assert_usable().await;
}

#[tokio::test(start_paused = true)]
async fn a_chunked_body_that_is_none_fails() {
    let mut harness = harness();
    for pieces in [&["3\r\nabc\r\n"][..], &["3\r\nabc\r\n", "x\r\n"]] {
        let (mut client, exchange) = open(&mut harness, "GET").await;
        let sender = exchange.responder.respond_streaming(coded());
        for piece in pieces {
            push(&sender, (*piece).into()).await.unwrap();
        }
        sender.finish(None);
        assert_eq!(client.head().await.status, 200);
        assert_eq!(harness.outcome().await, Outcome::Failed);
        assert!(!client.rest().await.ends_with(b"0\r\n\r\n"));
    }
    assert_eq!(harness.complaints().len(), 2);
}
