//! A connection that leaves HTTP.

use hyperion_core::response::{Outcome, Taken};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::support::app::Harness;
use crate::support::{TextClient, get, harness, harness_with};

const UPGRADE: &str = "GET /manual HTTP/1.1\r\nhost: a\r\nconnection: upgrade\r\nupgrade: x\r\n\r\n";

async fn take(harness: &mut Harness) -> Taken {
    let taking = harness.exchange().await.responder.take_connection().expect("a connection of its own");
    taking.wait().await.expect("a client")
}

async fn talk(client: &mut TextClient, taken: &mut Taken) {
    taken.io.write_all(b"to the client\r\n").await.unwrap();
    taken.io.flush().await.unwrap();
    assert_eq!(client.line().await, "to the client");
    client.send("to the server").await;
    let mut buffer = [0; 13];
    taken.io.read_exact(&mut buffer).await.unwrap();
    assert_eq!(&buffer, b"to the server");
}

#[tokio::test(start_paused = true)]
async fn bytes_go_both_ways_and_what_was_read_comes_first() {
    let mut harness = harness();
    let mut client = harness.text_client();
    client.send(["GET / HTTP/1.1\r\nhost: a\r\n\r\n", UPGRADE, "early"].concat()).await;
    assert_eq!(client.answer().await.text(), "hello");
    let mut taken = take(&mut harness).await;
    assert_eq!(taken.read, "early");
    talk(&mut client, &mut taken).await;
    assert_eq!(harness.service.admission().in_flight(), 1);
    assert_eq!(harness.outcome().await, Outcome::Sent);
    taken.io.shutdown().await.unwrap();
    client.assert_closed().await;
    taken.hold.end(Outcome::Sent);
    assert_eq!(harness.outcome().await, Outcome::Sent);
    harness.idle().await;
}

#[tokio::test(start_paused = true)]
async fn the_stop_waits_for_it() {
    let mut harness = harness();
    let mut client = harness.text_client();
    client.send(UPGRADE).await;
    let mut taken = take(&mut harness).await;
    let service = harness.service.clone();
    let stop = tokio::spawn(async move { service.stop().await });
    talk(&mut client, &mut taken).await;
    assert!(!stop.is_finished());
    taken.hold.draining().await;
    taken.hold.closing().await;
    drop(taken);
    stop.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_streamed_body_goes_along() {
    let mut harness = harness_with(|config| config.buffers.request_buffering = false);
    let mut client = harness.text_client();
    client
        .send("POST /manual HTTP/1.1\r\nhost: a\r\ncontent-length: 100\r\nexpect: 100-continue\r\n\r\n")
        .await;
    let mut taken = take(&mut harness).await;
    talk(&mut client, &mut taken).await;
}

#[tokio::test(start_paused = true)]
async fn a_client_that_has_gone_leaves_nothing_to_take() {
    let mut harness = harness();
    let mut client = harness.text_client();
    client.send(UPGRADE).await;
    let exchange = harness.exchange().await;
    harness.service.stop().await;
    let taking = exchange.responder.take_connection().unwrap();
    assert!(taking.wait().await.is_none());
    client.assert_closed().await;
}

#[tokio::test(start_paused = true)]
async fn a_stream_of_http2_stays() {
    let mut harness = harness();
    let mut client = harness.client().await;
    client.request(1, &get("/manual")).await;
    let responder = harness.exchange().await.responder.take_connection().unwrap_err();
    drop(responder);
    assert_eq!(client.response(1).await.status, 500);
}
