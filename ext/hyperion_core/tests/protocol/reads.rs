//! Reads that hold threads: who may be silent for how long, when there is need of a thread.

use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Waker};
use std::time::Duration;

use bytes::Bytes;
use hyperion_core::body::{BodyError, Incoming, Reads};
use hyperion_core::response::{Head, Responder};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, timeout};

use super::uploads::{incoming, streaming};
use crate::support::app::read;
use crate::support::{Client, Frame, Harness, harness, harness_with, post, reason};

type Read = JoinHandle<Result<Option<Bytes>, BodyError>>;

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// Longer than `body_timeout`, which is 30 s.
const LONG: Duration = Duration::from_secs(31);

async fn call(harness: &mut Harness, client: &mut Client, stream: u32) -> (Arc<Incoming>, Responder) {
    let mut head = post("/manual");
    head.extend([("content-type", "application/grpc"), ("te", "trailers")]);
    client.open(stream, &head).await;
    let (body, responder) = incoming(harness).await;
    (Arc::new(body), responder)
}

/// A thread that waits for the next message.
async fn wait(reads: &Arc<Reads>, body: &Arc<Incoming>) -> Read {
    let (reads, body) = (reads.clone(), body.clone());
    let read = tokio::spawn(async move { reads.read(&body).await });
    tokio::task::yield_now().await;
    read
}

#[tokio::test(start_paused = true)]
async fn conversations_rest_for_as_long_as_nobody_is_in_need() {
    let (mut harness, reads) = (harness(), Arc::default());
    let mut client = harness.client().await;
    let (first, _responder) = call(&mut harness, &mut client, 1).await;
    let connect = [
        (":method", "CONNECT"),
        (":protocol", "websocket"),
        (":scheme", "https"),
        (":path", "/manual"),
        (":authority", "example.org"),
    ];
    client.open(3, &connect).await;
    let (second, _other) = incoming(&mut harness).await;
    for (stream, body) in [(1, first), (3, Arc::new(second))] {
        let read = wait(&reads, &body).await;
        sleep(seconds(3600)).await;
        assert!(reads.has_overdue());
        client.send(Frame::data(stream, *b"at last")).await;
        assert_eq!(read.await.unwrap().unwrap().unwrap(), "at last");
        assert!(!reads.has_overdue());
    }
}

#[tokio::test(start_paused = true)]
async fn the_longest_silence_is_ended_first_and_one_at_a_time() {
    let (mut harness, reads) = (harness(), Arc::default());
    let mut client = harness.client().await;
    let mut calls = Vec::new();
    for stream in [1, 3, 5] {
        calls.push(call(&mut harness, &mut client, stream).await);
    }
    // The second one was asked first, and the third one a moment ago.
    let second = wait(&reads, &calls[1].0).await;
    sleep(seconds(1)).await;
    let first = wait(&reads, &calls[0].0).await;
    sleep(LONG).await;
    let third = wait(&reads, &calls[2].0).await;
    assert!(reads.end_longest());
    assert_eq!(second.await.unwrap(), Err(BodyError::TimedOut));
    assert!(!first.is_finished());
    assert!(reads.end_longest());
    assert_eq!(first.await.unwrap(), Err(BodyError::TimedOut));
    assert!(!reads.has_overdue() && !reads.end_longest());
    assert!(!third.is_finished());
    assert_eq!(read(&calls[1].0).await, Err(BodyError::TimedOut), "it stays ended");
}

#[tokio::test(start_paused = true)]
async fn a_client_that_is_let_go_is_told() {
    let (mut harness, reads) = (harness(), Arc::default());
    let mut client = harness.client().await;
    let (body, responder) = call(&mut harness, &mut client, 1).await;
    let read = wait(&reads, &body).await;
    sleep(LONG).await;
    assert!(reads.end_longest());
    assert_eq!(read.await.unwrap(), Err(BodyError::TimedOut));
    responder.respond_empty(Head::new(http::StatusCode::REQUEST_TIMEOUT));
    assert_eq!(client.response(1).await.status, 408);
    // Although the application keeps its end.
    assert_eq!(client.reset_of(1).await, reason::NO_ERROR);
    client.assert_usable(3).await;
    harness.idle().await;
}

#[tokio::test(start_paused = true)]
async fn a_client_that_says_something_now_and_then_is_left_alone() {
    let (mut harness, reads) = (harness(), Arc::default());
    let mut client = harness.client().await;
    let (body, _responder) = call(&mut harness, &mut client, 1).await;
    for _ in 0..10 {
        let read = wait(&reads, &body).await;
        sleep(seconds(29)).await;
        assert!(!reads.has_overdue() && !reads.end_longest());
        client.send(Frame::data(1, *b".")).await;
        assert_eq!(read.await.unwrap().unwrap().unwrap(), ".");
    }
}

#[tokio::test(start_paused = true)]
async fn empty_frames_say_nothing() {
    let (mut harness, reads) = (harness(), Arc::default());
    let mut client = harness.client().await;
    let (body, _responder) = call(&mut harness, &mut client, 1).await;
    let read = wait(&reads, &body).await;
    sleep(seconds(20)).await;
    client.send(Frame::data(1, [])).await;
    sleep(seconds(20)).await;
    assert!(reads.end_longest());
    assert_eq!(read.await.unwrap(), Err(BodyError::TimedOut));
}

#[tokio::test(start_paused = true)]
async fn only_reads_that_hold_a_thread_are_ended() {
    let (mut harness, reads) = (harness(), Arc::new(Reads::default()));
    let mut client = harness.client().await;
    let (unread, _responder) = call(&mut harness, &mut client, 1).await;
    let (elsewhere, _other) = call(&mut harness, &mut client, 3).await;
    let elsewhere = tokio::spawn(async move { read(&elsewhere).await });
    // One that held a thread once.
    let (given_up, _third) = call(&mut harness, &mut client, 5).await;
    assert!(timeout(LONG, reads.read(&given_up)).await.is_err());
    sleep(LONG).await;
    assert!(!reads.has_overdue() && !reads.end_longest());
    for stream in [1, 3, 5] {
        client.send(Frame::data(stream, *b"a message").end()).await;
    }
    assert_eq!(read(&unread).await.unwrap().unwrap(), "a message");
    assert_eq!(elsewhere.await.unwrap().unwrap().unwrap(), "a message");
    assert_eq!(read(&given_up).await.unwrap().unwrap(), "a message");
}

#[tokio::test(start_paused = true)]
async fn the_client_is_waited_for_from_when_it_was_asked() {
    let (mut harness, reads) = (harness(), Arc::default());
    let mut client = harness.client().await;
    let (body, _responder) = call(&mut harness, &mut client, 1).await;
    client.send(Frame::data(1, *b"a question")).await;
    assert_eq!(wait(&reads, &body).await.await.unwrap().unwrap().unwrap(), "a question");
    // The answer takes its time, and the client waits for it.
    sleep(seconds(100)).await;
    let begin = Instant::now();
    // Nor does the application's own patience count anew.
    let mut read = wait(&reads, &body).await;
    while !reads.has_overdue() {
        assert!(begin.elapsed() < LONG, "it is never overdue");
        sleep(seconds(1)).await;
        read.abort();
        read = wait(&reads, &body).await;
    }
    assert!(begin.elapsed() >= seconds(30), "{:?}", begin.elapsed());
}

/// A thread takes its time to wake up.
#[tokio::test(start_paused = true)]
async fn what_has_come_is_read_before_the_read_is_ended() {
    let (mut harness, reads) = (harness(), Reads::default());
    let mut client = harness.client().await;
    let (body, _responder) = call(&mut harness, &mut client, 1).await;
    let mut read = pin!(reads.read(&body));
    let mut asleep = Context::from_waker(Waker::noop());
    assert!(read.as_mut().poll(&mut asleep).is_pending());
    sleep(LONG).await;
    assert!(reads.has_overdue());
    client.send(Frame::data(1, *b"just in time")).await;
    sleep(LONG).await;
    assert!(!reads.has_overdue() && !reads.end_longest());
    assert_eq!(read.await.unwrap().unwrap(), "just in time");
}

#[tokio::test(start_paused = true)]
async fn a_body_with_a_timeout_of_its_own_has_the_same() {
    let (mut harness, reads) = (harness_with(streaming), Arc::default());
    let mut client = harness.client().await;
    client.open(1, &post("/manual")).await;
    let (body, _responder) = incoming(&mut harness).await;
    let begin = Instant::now();
    let read = wait(&reads, &Arc::new(body)).await;
    assert_eq!(read.await.unwrap(), Err(BodyError::TimedOut));
    assert!(begin.elapsed() < LONG && !reads.has_overdue());
}
