//! `expect: 100-continue`: a body is asked for when it is wanted (RFC 9110, section 10.1.1).

use std::time::Duration;

use crate::support::app::{ok, read};
use crate::support::{Frame, harness, harness_with, reason};
use crate::uploads::{incoming, post_with, streaming};

#[tokio::test(start_paused = true)]
async fn a_collected_body_is_asked_for_when_it_is_expected() {
    let harness = harness();
    let mut client = harness.client().await;
    client.open(1, &post_with("/echo", "expect", "100-continue")).await;
    let interim = client.next_on(1).await;
    assert!(!interim.is_end());
    assert_eq!(client.decode(&interim.payload), [(":status".to_owned(), "100".to_owned())]);
    client.send(Frame::data(1, *b"body").end()).await;
    assert_eq!(client.response(1).await.body, b"body");
}

#[tokio::test(start_paused = true)]
async fn a_body_that_is_refused_is_not_asked_for() {
    let harness = harness_with(|config| config.limits.max_body_size = 3);
    let mut client = harness.client().await;
    let mut head = post_with("/echo", "expect", "100-continue");
    head.push(("content-length", "4"));
    client.open(1, &head).await;
    let response = client.response(1).await;
    assert_eq!((response.status, response.informational), (413, vec![]));
}

#[tokio::test(start_paused = true)]
async fn a_streamed_body_is_asked_for_when_it_is_read() {
    let mut harness = harness_with(streaming);
    let mut client = harness.client().await;
    client.open(1, &post_with("/manual", "expect", "100-continue")).await;
    let (body, responder) = incoming(&mut harness).await;
    assert!(
        client.is_silent_for(Duration::from_secs(60)).await,
        "not before, and the wait is not the client's"
    );
    let reading = tokio::spawn(async move { (read(&body).await, body) });
    let interim = client.next_on(1).await;
    assert_eq!(client.decode(&interim.payload), [(":status".to_owned(), "100".to_owned())]);
    client.send(Frame::data(1, *b"body").end()).await;
    let (chunk, _body) = reading.await.unwrap();
    assert_eq!(chunk.unwrap().unwrap(), "body");
    responder.respond_empty(ok());
    assert_eq!(client.response(1).await.status, 200);
}

#[tokio::test(start_paused = true)]
async fn a_response_without_reading_asks_for_nothing() {
    let mut harness = harness_with(streaming);
    let mut client = harness.client().await;
    client.open(1, &post_with("/manual", "expect", "100-continue")).await;
    let (body, responder) = incoming(&mut harness).await;
    responder.respond_empty(ok());
    drop(body);
    let response = client.response(1).await;
    assert_eq!((response.status, response.informational), (200, vec![]));
    assert_eq!(client.reset_of(1).await, reason::NO_ERROR);
    client.assert_usable(3).await;
}
