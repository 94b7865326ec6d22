//! A client that does not move is let go.

use std::sync::Arc;
use std::time::Duration;

use http::StatusCode;
use hyperion_core::body::{BodyError, Reads, RequestBody};
use hyperion_core::response::{Head, Outcome};
use tokio::time::Instant;

use crate::support::app::{ok, pattern, push, read};
use crate::support::{TextClient, harness, harness_with};

fn seconds(since: Instant) -> u64 {
    since.elapsed().as_secs()
}

#[tokio::test(start_paused = true)]
async fn a_client_that_says_nothing_is_let_go_without_a_word() {
    let harness = harness();
    let (mut client, begin) = (harness.text_client(), Instant::now());
    client.assert_closed().await;
    assert_eq!(seconds(begin), 10);
}

#[tokio::test(start_paused = true)]
async fn a_head_that_takes_too_long_is_answered_408() {
    let harness = harness();
    for start in ["G", "GET / HTTP/1.1\r\nhost: a\r\n"] {
        let (mut client, begin) = (harness.text_client(), Instant::now());
        client.send(start).await;
        let dribble = async {
            tokio::time::sleep(Duration::from_secs(9)).await;
            client.send("E").await;
            client.answer().await
        };
        let answer = dribble.await;
        assert_eq!((answer.status, answer.closes(), seconds(begin)), (408, true, 10), "{start:?}");
        client.assert_closed().await;
    }
}

#[tokio::test(start_paused = true)]
async fn an_idle_connection_is_closed_without_a_word() {
    let harness = harness();
    let mut client = harness.text_client();
    client.assert_usable().await;
    tokio::time::sleep(Duration::from_secs(50)).await;
    client.assert_usable().await;
    let begin = Instant::now();
    client.assert_closed().await;
    assert_eq!(seconds(begin), 60);
}

#[tokio::test(start_paused = true)]
async fn a_later_head_has_its_own_time() {
    let harness = harness();
    let mut client = harness.text_client();
    client.assert_usable().await;
    tokio::time::sleep(Duration::from_secs(55)).await;
    let begin = Instant::now();
    client.send("GET / HTTP/1.1\r\n").await;
    assert_eq!(client.answer().await.status, 408);
    assert_eq!(seconds(begin), 10);
}

#[tokio::test(start_paused = true)]
async fn an_application_may_take_its_time() {
    let mut harness = harness();
    let mut client = harness.text_client();
    client.send("GET /manual HTTP/1.1\r\nhost: a\r\n\r\n").await;
    let exchange = harness.exchange().await;
    tokio::time::sleep(Duration::from_secs(3600)).await;
    exchange.responder.respond_empty(ok());
    assert_eq!(client.answer().await.status, 200);
}

#[tokio::test(start_paused = true)]
async fn a_body_that_stalls_is_answered_408() {
    let mut harness = harness();
    let (mut client, begin) = (harness.text_client(), Instant::now());
    client.send("POST /manual HTTP/1.1\r\nhost: a\r\ncontent-length: 6\r\n\r\nabc").await;
    let answer = client.answer().await;
    assert_eq!((answer.status, answer.closes(), seconds(begin)), (408, true, 30));
    client.assert_closed().await;
    assert!(!harness.was_called());
    harness.idle().await;
}

#[tokio::test(start_paused = true)]
async fn a_streamed_body_that_stalls_is_an_error_to_its_reader() {
    let mut harness = harness_with(|config| config.buffers.request_buffering = false);
    let mut client = harness.text_client();
    client.send("POST /manual HTTP/1.1\r\nhost: a\r\ncontent-length: 6\r\n\r\nabc").await;
    let exchange = harness.exchange().await;
    let RequestBody::Incoming(body) = exchange.body else { panic!() };
    assert_eq!(read(&body).await.unwrap().unwrap(), "abc");
    assert_eq!(read(&body).await, Err(BodyError::TimedOut));
    exchange.responder.respond_empty(ok());
    assert!(client.answer().await.closes());
    client.assert_closed().await;
}

#[tokio::test(start_paused = true)]
async fn a_silent_conversation_is_let_go_when_there_is_need_of_its_thread() {
    let (mut harness, reads) = (harness(), Arc::new(Reads::default()));
    let mut client = harness.text_client();
    let fields = "content-type: application/grpc\r\nte: trailers\r\ntransfer-encoding: chunked\r\n";
    client.send(format!("POST /manual HTTP/1.1\r\nhost: a\r\n{fields}\r\n")).await;
    let exchange = harness.exchange().await;
    let RequestBody::Incoming(body) = exchange.body else { panic!("{:?}", exchange.body) };
    let read = tokio::spawn({
        let reads = reads.clone();
        async move { reads.read(&body).await }
    });
    tokio::time::sleep(Duration::from_secs(3600)).await;
    assert!(!read.is_finished());
    assert!(reads.end_longest());
    assert_eq!(read.await.unwrap(), Err(BodyError::TimedOut));
    exchange.responder.respond_empty(Head::new(StatusCode::REQUEST_TIMEOUT));
    let answer = client.answer().await;
    assert_eq!((answer.status, answer.closes()), (408, true));
    client.assert_closed().await;
    harness.idle().await;
}

#[tokio::test(start_paused = true)]
async fn a_client_that_takes_nothing_is_cut_off() {
    let mut harness = harness();
    for path in ["/bytes/1000000", "/stream/1000000"] {
        let mut client = TextClient::new(harness.connect(1024));
        client.send(format!("GET {path} HTTP/1.1\r\nhost: a\r\n\r\n")).await;
        let begin = Instant::now();
        assert_eq!(harness.outcome().await, Outcome::TimedOut, "{path}");
        assert_eq!(seconds(begin), 30, "{path}");
        harness.idle().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_slow_reader_is_served_and_a_dribbling_one_is_not() {
    let mut harness = harness();
    for (count, outcome) in [(2048, Outcome::Sent), (10, Outcome::TimedOut)] {
        let mut io = harness.connect(1024);
        tokio::io::AsyncWriteExt::write_all(&mut io, b"GET /stream/100000 HTTP/1.1\r\nhost: a\r\n\r\n")
            .await
            .unwrap();
        let reader = tokio::spawn(async move {
            let mut bytes = vec![0; count];
            while tokio::io::AsyncReadExt::read_exact(&mut io, &mut bytes).await.is_ok() {
                tokio::time::sleep(Duration::from_secs(5)).await;
            }
        });
        assert_eq!(harness.outcome().await, outcome);
        reader.abort();
    }
}

#[tokio::test(start_paused = true)]
async fn a_pause_of_the_application_is_no_stall() {
    let mut harness = harness();
    let mut client = harness.text_client();
    client.send("GET /manual HTTP/1.1\r\nhost: a\r\n\r\n").await;
    let sender = harness.exchange().await.responder.respond_streaming(ok());
    client.head().await;
    for _ in 0..3 {
        tokio::time::sleep(Duration::from_secs(300)).await;
        push(&sender, pattern(10)).await.unwrap();
        assert_eq!(client.chunk().await, pattern(10));
    }
}
