//! The graceful stop.

use std::time::Duration;

use tokio::time::Instant;

use crate::support::app::{ok, push};
use crate::support::harness;

#[tokio::test(start_paused = true)]
async fn idle_connections_close_at_once() {
    let harness = harness();
    let mut client = harness.text_client();
    client.assert_usable().await;
    let mut silent = harness.text_client();
    let begin = Instant::now();
    tokio::join!(harness.service.stop(), client.assert_closed(), silent.assert_closed());
    assert!(begin.elapsed() < Duration::from_secs(1));
}

#[tokio::test(start_paused = true)]
async fn requests_in_flight_are_finished() {
    let mut harness = harness();
    let mut client = harness.text_client();
    let head = "GET /manual HTTP/1.1\r\nhost: a\r\n\r\n";
    client.send([head, head].concat()).await;
    let exchange = harness.exchange().await;
    let service = harness.service.clone();
    let stop = tokio::spawn(async move { service.stop().await });
    tokio::time::sleep(Duration::from_secs(5)).await;
    assert!(!stop.is_finished());
    exchange.responder.respond_full(ok(), "done".into());
    let answer = client.answer().await;
    assert_eq!((answer.text(), answer.closes()), ("done", true));
    client.assert_closed().await;
    stop.await.unwrap();
    assert!(!harness.was_called());
}

#[tokio::test(start_paused = true)]
async fn a_response_that_has_begun_is_finished() {
    let mut harness = harness();
    let mut client = harness.text_client();
    client.send("GET /manual HTTP/1.1\r\nhost: a\r\n\r\n").await;
    let sender = harness.exchange().await.responder.respond_streaming(ok());
    client.head().await;
    let service = harness.service.clone();
    let stop = tokio::spawn(async move { service.stop().await });
    tokio::time::sleep(Duration::from_secs(5)).await;
    push(&sender, "abc".into()).await.unwrap();
    sender.finish(None);
    assert_eq!((client.chunk().await, client.chunk().await), (b"abc".to_vec(), vec![]));
    assert_eq!(client.line().await, "");
    client.assert_closed().await;
    stop.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn what_takes_too_long_is_dropped() {
    let mut harness = harness();
    let mut client = harness.text_client();
    client.send("GET /manual HTTP/1.1\r\nhost: a\r\n\r\n").await;
    let _exchange = harness.exchange().await;
    let begin = Instant::now();
    harness.service.stop().await;
    assert_eq!(begin.elapsed().as_secs(), 30);
    client.assert_closed().await;
}

#[tokio::test(start_paused = true)]
async fn a_head_that_has_begun_may_come_to_its_end() {
    let harness = harness();
    let mut client = harness.text_client();
    client.send("GET / HTTP/1.1\r\n").await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    let service = harness.service.clone();
    let stop = tokio::spawn(async move { service.stop().await });
    tokio::time::sleep(Duration::from_secs(1)).await;
    client.send("host: a\r\n\r\n").await;
    let answer = client.answer().await;
    assert_eq!((answer.text(), answer.closes()), ("hello", true));
    stop.await.unwrap();
}
