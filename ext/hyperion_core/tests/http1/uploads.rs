//! Request bodies.

use std::time::Duration;

use http::StatusCode;
use hyperion_core::body::{BodyError, Incoming, RequestBody};
use hyperion_core::response::{Head, Outcome};

use crate::support::app::{ok, pattern, push, read, whole};
use crate::support::{harness, harness_with};

fn post(fields: &str) -> String {
    format!("POST /manual HTTP/1.1\r\nhost: a\r\n{fields}\r\n")
}

/// `body` in chunks of `size` bytes.
fn chunked(body: &[u8], size: usize) -> Vec<u8> {
    let chunk = |chunk: &[u8]| [format!("{:x}\r\n", chunk.len()).as_bytes(), chunk, b"\r\n"].concat();
    body.chunks(size).flat_map(chunk).chain(*b"0\r\n\r\n").collect()
}

fn incoming(body: RequestBody) -> Incoming {
    match body {
        RequestBody::Incoming(body) => body,
        body => panic!("{body:?}"),
    }
}

#[tokio::test(start_paused = true)]
async fn bodies_of_many_sizes_come_back_unchanged_in_both_modes() {
    for buffering in [true, false] {
        let harness = harness_with(|config| {
            config.buffers.request_buffering = buffering;
            config.buffers.request = 100_000;
        });
        let mut client = harness.text_client();
        for (size, chunk) in [(1, 1), (1000, 7), (65_536, 65_536), (300_000, 10_000)] {
            let body = pattern(size);
            let head = |fields: String| format!("POST /echo HTTP/1.1\r\nhost: a\r\n{fields}\r\n\r\n");
            client.send(head(format!("content-length: {size}"))).await;
            let (mut sender, answer) = (client, async {});
            sender.send(&body).await;
            answer.await;
            client = sender;
            let answer = client.answer().await;
            assert_eq!((answer.status, answer.body == body), (200, true), "{size} {buffering}");
            if answer.closes() {
                client = harness.text_client();
            }
            client.send(head("transfer-encoding: chunked".into())).await;
            client.send(chunked(&body, chunk)).await;
            let answer = client.answer().await;
            assert_eq!((answer.status, answer.body == body), (200, true), "{size} {buffering}");
            if answer.closes() {
                client = harness.text_client();
            }
        }
        harness.idle().await;
    }
}

#[tokio::test(start_paused = true)]
async fn the_application_is_called_when_the_body_is_there() {
    let mut harness = harness();
    let mut client = harness.text_client();
    client.send([&post("content-length: 6\r\n"), "abc"].concat()).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert!(!harness.was_called());
    client.send("def").await;
    let exchange = harness.exchange().await;
    let RequestBody::Collected(body) = exchange.body else { panic!() };
    assert_eq!(whole(&body), b"abcdef");
    assert!(body.trailers().is_none());
}

#[tokio::test(start_paused = true)]
async fn trailers_follow_the_body_in_both_modes() {
    for buffering in [true, false] {
        let mut harness = harness_with(|config| config.buffers.request_buffering = buffering);
        let mut client = harness.text_client();
        client.send(post("transfer-encoding: chunked\r\n")).await;
        client.send("3;x=y\r\nabc\r\n0\r\nchecksum: 7\r\n\r\n").await;
        let exchange = harness.exchange().await;
        assert!(!exchange.request.headers.contains_key("transfer-encoding"));
        let trailers = match exchange.body {
            RequestBody::Collected(body) => body.trailers().cloned(),
            body => {
                let body = incoming(body);
                assert_eq!(read(&body).await.unwrap().unwrap(), "abc");
                assert_eq!(read(&body).await, Ok(None));
                body.trailers()
            }
        };
        assert_eq!(trailers.unwrap()["checksum"], "7");
    }
}

#[tokio::test(start_paused = true)]
async fn a_streamed_body_is_read_as_it_comes() {
    let mut harness = harness_with(|config| config.buffers.request_buffering = false);
    let mut client = harness.text_client();
    client.send([&post("content-length: 6\r\n"), "abc"].concat()).await;
    let exchange = harness.exchange().await;
    let body = incoming(exchange.body);
    assert_eq!(read(&body).await.unwrap().unwrap(), "abc");
    client.send("def").await;
    assert_eq!(read(&body).await.unwrap().unwrap(), "def");
    assert_eq!(read(&body).await, Ok(None));
    exchange.responder.respond_empty(ok());
    let answer = client.answer().await;
    assert!(!answer.closes(), "{answer:?}");
    client.assert_usable().await;
}

#[tokio::test(start_paused = true)]
async fn the_connection_outlives_a_streamed_body_that_was_read_to_its_end() {
    let mut harness = harness_with(|config| config.buffers.request_buffering = false);
    let mut client = harness.text_client();
    for (fields, rest) in [
        ("content-length: 3\r\n", "abc"),
        ("transfer-encoding: chunked\r\n", "3\r\nabc\r\n0\r\n\r\n"),
        ("transfer-encoding: chunked\r\n", "3\r\nabc\r\n0\r\na: b\r\n\r\n"),
    ] {
        client.send(post(fields)).await;
        let exchange = harness.exchange().await;
        let body = incoming(exchange.body);
        client.send(rest).await;
        assert_eq!(read(&body).await.unwrap().unwrap(), "abc");
        assert!(read(&body).await.unwrap().is_none());
        exchange.responder.respond_empty(ok());
        assert!(!client.answer().await.closes(), "{fields:?}");
    }
    client.assert_usable().await;
}

#[tokio::test(start_paused = true)]
async fn an_unread_body_stays_with_the_client() {
    let mut harness = harness_with(|config| config.buffers.request_buffering = false);
    let mut client = harness.text_client();
    client.send(post("content-length: 9000000\r\n")).await;
    let exchange = harness.exchange().await;
    let upload = async {
        client.send(vec![b'x'; 9_000_000]).await;
        client
    };
    let mut upload = Box::pin(upload);
    assert!(tokio::time::timeout(Duration::from_secs(5), &mut upload).await.is_err());
    let body = incoming(exchange.body);
    let mut left = 9_000_000;
    let reader = async {
        while let Some(chunk) = read(&body).await.unwrap() {
            left -= chunk.len();
        }
    };
    let (mut client, ()) = tokio::join!(upload, reader);
    assert_eq!(left, 0);
    exchange.responder.respond_empty(ok());
    assert_eq!(client.answer().await.status, 200);
}

#[tokio::test(start_paused = true)]
async fn a_100_is_sent_when_the_body_is_wanted() {
    let mut harness = harness();
    let mut client = harness.text_client();
    client.send(post("content-length: 3\r\nexpect: 100-Continue\r\n")).await;
    assert_eq!(client.head().await.status, 100);
    client.send("abc").await;
    harness.exchange().await.responder.respond_empty(ok());
    assert_eq!(client.answer().await.status, 200);
    client.send("POST /echo HTTP/1.0\r\ncontent-length: 3\r\nexpect: 100-continue\r\n\r\n").await;
    assert!(client.is_silent(Duration::from_secs(1)).await);
    client.send("abc").await;
    assert_eq!(client.answer().await.status, 200);
}

#[tokio::test(start_paused = true)]
async fn a_100_waits_for_the_first_read_of_a_streamed_body() {
    let mut harness = harness_with(|config| config.buffers.request_buffering = false);
    let mut client = harness.text_client();
    client.send(post("content-length: 3\r\nexpect: 100-continue\r\n")).await;
    let exchange = harness.exchange().await;
    assert!(client.is_silent(Duration::from_secs(5)).await);
    let body = incoming(exchange.body);
    let (first, status) = tokio::join!(read(&body), async {
        let status = client.head().await.status;
        client.send("abc").await;
        status
    });
    assert_eq!((first.unwrap().unwrap(), status), ("abc".into(), 100));
    exchange.responder.respond_empty(ok());
    assert_eq!(client.answer().await.status, 200);
    // And one that nobody reads gets none.
    client.send(post("content-length: 3\r\nexpect: 100-continue\r\n")).await;
    harness.exchange().await.responder.respond_empty(Head::new(StatusCode::FORBIDDEN));
    let answer = client.answer().await;
    assert_eq!((answer.status, answer.closes()), (403, true));
    client.assert_closed().await;
}

#[tokio::test(start_paused = true)]
async fn a_body_that_is_too_large_is_answered_413() {
    let mut harness = harness_with(|config| config.limits.max_body_size = 1000);
    let mut client = harness.text_client();
    client.send(post("content-length: 1001\r\nexpect: 100-continue\r\n")).await;
    let answer = client.answer().await;
    assert_eq!((answer.status, answer.closes()), (413, true));
    client.assert_closed().await;
    let mut client = harness.text_client();
    client.send(post("transfer-encoding: chunked\r\n")).await;
    client.send(chunked(&pattern(100_000), 500)).await;
    let answer = client.answer().await;
    assert_eq!((answer.status, answer.closes()), (413, true));
    client.assert_closed().await;
    assert!(!harness.was_called());
    harness.idle().await;
}

#[tokio::test(start_paused = true)]
async fn the_answer_reaches_a_client_that_is_still_sending() {
    let mut harness = harness_with(|config| config.buffers.request_buffering = false);
    let mut client = harness.text_client();
    client.send(post("content-length: 1000000\r\n")).await;
    harness.exchange().await.responder.respond_full(Head::new(StatusCode::UNAUTHORIZED), "no".into());
    // More than the connection holds: the server has to read for this to come to an end.
    client.send(vec![b'x'; 1_000_000]).await;
    let answer = client.answer().await;
    assert_eq!((answer.status, answer.text(), answer.closes()), (401, "no", true));
    assert_eq!(harness.outcome().await, Outcome::Sent);
}

#[tokio::test(start_paused = true)]
async fn chunks_that_could_be_read_in_two_ways_are_refused() {
    let mut harness = harness();
    for body in [
        "0x3\r\nabc\r\n",
        "+3\r\nabc\r\n",
        "3 \r\nabc\r\n",
        "3\nabc\r\n",
        "3\r\nabcd\r\n",
        "0\r\na : b\r\n\r\n",
    ] {
        let mut client = harness.text_client();
        client.send([&post("transfer-encoding: chunked\r\n"), "2\r\nab\r\n", body].concat()).await;
        let answer = client.answer().await;
        assert_eq!((answer.status, answer.closes()), (400, true), "{body:?}");
        client.assert_closed().await;
        assert!(!harness.was_called());
    }
    let extension = format!("1;{}\r\na\r\n0\r\n\r\n", "x".repeat(300));
    let mut client = harness.text_client();
    client.send([post("transfer-encoding: chunked\r\n"), extension].concat()).await;
    assert_eq!(client.answer().await.status, 400);
    harness.idle().await;
}

#[tokio::test(start_paused = true)]
async fn a_bad_chunk_of_a_streamed_body_ends_the_connection() {
    let mut harness = harness_with(|config| config.buffers.request_buffering = false);
    let mut client = harness.text_client();
    client.send([&post("transfer-encoding: chunked\r\n"), "2\r\nab\r\n"].concat()).await;
    let exchange = harness.exchange().await;
    let body = incoming(exchange.body);
    assert_eq!(read(&body).await.unwrap().unwrap(), "ab");
    client.send("-1\r\n").await;
    assert_eq!(client.answer().await.status, 400);
    assert_eq!(read(&body).await, Err(BodyError::Disconnected));
    client.assert_closed().await;
}

#[tokio::test(start_paused = true)]
async fn a_client_that_leaves_its_body_disconnects() {
    let mut harness = harness();
    let mut client = harness.text_client();
    client.send([&post("content-length: 6\r\n"), "abc"].concat()).await;
    client.shutdown().await;
    client.assert_closed().await;
    assert!(!harness.was_called());
    harness.idle().await;
}

#[tokio::test(start_paused = true)]
async fn both_ends_of_a_streamed_exchange_move_at_once() {
    let mut harness = harness_with(|config| config.buffers.request_buffering = false);
    let mut client = harness.text_client();
    client.send(post("transfer-encoding: chunked\r\n")).await;
    let exchange = harness.exchange().await;
    let body = incoming(exchange.body);
    let sender = exchange.responder.respond_streaming(ok());
    assert!(client.head().await.closes());
    for round in [&b"one"[..], b"two"] {
        client.send(format!("3\r\n{}\r\n", std::str::from_utf8(round).unwrap())).await;
        push(&sender, read(&body).await.unwrap().unwrap()).await.unwrap();
        assert_eq!(client.chunk().await, round);
    }
    client.send("0\r\n\r\n").await;
    assert_eq!(read(&body).await, Ok(None));
    sender.finish(None);
    assert_eq!(client.chunk().await, b"");
    assert_eq!(harness.outcome().await, Outcome::Sent);
}
