//! What the access log says of requests, however they end.

use std::time::Duration;

use hyperion_core::Config;
use hyperion_core::metrics::Metric;
use hyperion_core::response::Outcome;

use crate::support::app::{observed_late_harness, ok, pattern, push};
use crate::support::client::{block, literal};
use crate::support::{Client, Frame, Logged, get, logged, post, reason};

const INITIAL_WINDOW_SIZE: u16 = 4;

#[tokio::test(start_paused = true)]
async fn each_response_has_its_line() {
    let mut logged = logged(|_| {});
    let mut client = logged.harness.client().await;
    for (path, stream) in
        ["/?a=b", "/bytes/0", "/bytes/100000", "/stream/300000"].iter().zip((1..).step_by(2))
    {
        client.request(stream, &get(path)).await;
        client.response(stream).await;
        logged.ended(Outcome::Sent).await;
    }
    client.open(9, &post("/echo")).await;
    client.send(Frame::data(9, *b"echo").end()).await;
    client.response(9).await;
    logged.ended(Outcome::Sent).await;
    let expected = [
        "GET /?a=b HTTP/2 200 5 1 sent",
        "GET /bytes/0 HTTP/2 200 0 3 sent",
        "GET /bytes/100000 HTTP/2 200 100000 5 sent",
        "GET /stream/300000 HTTP/2 200 300000 7 sent",
        "POST /echo HTTP/2 200 4 9 sent",
    ];
    assert_eq!(logged.lines().await, expected);
}

#[tokio::test(start_paused = true)]
async fn a_response_that_failed_says_how_much_was_sent() {
    let mut logged = logged(|_| {});
    let mut client = logged.harness.client().await;
    client.request(1, &get("/manual")).await;
    let sender = logged.harness.exchange().await.responder.respond_streaming(ok());
    push(&sender, pattern(1000)).await.unwrap();
    while client.next_on(1).await.payload.len() != 1000 {}
    sender.fail();
    client.reset_of(1).await;
    logged.ended(Outcome::Failed).await;
    assert_eq!(logged.lines().await, ["GET /manual HTTP/2 200 1000 1 failed"]);
}

#[tokio::test(start_paused = true)]
async fn a_client_that_takes_a_part_is_told_apart() {
    let mut logged = logged(|_| {});
    let mut client = logged.harness.client_with(&[(INITIAL_WINDOW_SIZE, 100)]).await;
    client.refills = false;
    client.request(1, &get("/bytes/5000")).await;
    while client.next_on(1).await.payload.len() != 100 {}
    client.send(Frame::reset(1, reason::CANCEL)).await;
    logged.ended(Outcome::Disconnected).await;
    client.request(3, &get("/bytes/5000")).await;
    tokio::time::sleep(Duration::from_secs(40)).await;
    logged.ended(Outcome::TimedOut).await;
    let expected =
        ["GET /bytes/5000 HTTP/2 200 100 1 disconnected", "GET /bytes/5000 HTTP/2 200 100 3 timed_out"];
    assert_eq!(logged.lines().await, expected);
}

#[tokio::test(start_paused = true)]
async fn a_request_that_is_given_up_has_no_status() {
    let mut logged = logged(|_| {});
    let mut client = logged.harness.client().await;
    client.request(1, &get("/manual")).await;
    let exchange = logged.harness.exchange().await;
    client.send(Frame::reset(1, reason::CANCEL)).await;
    client.assert_usable(3).await;
    assert_eq!(logged.harness.outcome().await, Outcome::Sent);
    drop(exchange);
    logged.ended(Outcome::Disconnected).await;
    assert_eq!(logged.lines().await, ["GET / HTTP/2 200 5 3 sent", "GET /manual HTTP/2 - 0 1 disconnected"]);
}

fn with(path: &'static str, field: (&'static str, &'static str)) -> Vec<(&'static str, &'static str)> {
    [get(path), vec![field]].concat()
}

#[tokio::test(start_paused = true)]
async fn a_malformed_request_has_its_line_with_what_could_be_read() {
    let logged = logged(|_| {});
    let mut client = logged.harness.client().await;
    let nameless = get("/nameless").into_iter().filter(|(name, _)| *name != ":authority").collect();
    let heads = [
        with("/hop?by", ("connection", "close")),
        with("/cr", ("x", "a\rb")),
        nameless,
        get("/in\rpath"),
        with("/<", ("connection", "close")),
        // The `h2` crate resets these without a word to us.
        with("/length", ("content-length", "x")),
        get("/pathless").into_iter().filter(|(name, _)| *name != ":path").collect(),
    ];
    for (head, stream) in heads.iter().zip((1..).step_by(2)) {
        client.request(stream, head).await;
        assert_eq!(client.reset_of(stream).await, reason::PROTOCOL_ERROR, "{head:?}");
    }
    client.request(15, &get("/<")).await;
    assert_eq!(client.response(15).await.status, 400);
    assert_eq!((logged.number(Metric::RequestsRejected), logged.number(Metric::RequestsTotal)), (8, 0));
    assert_eq!(logged.statuses(), [(400, 1)]);
    let expected = [
        "GET /hop?by HTTP/2 - 0 1 rejected",
        "GET /cr HTTP/2 - 0 3 rejected",
        "GET /nameless HTTP/2 - 0 5 rejected",
        "- - 0 7 rejected",
        "- - 0 9 rejected",
        "- - 0 11 rejected",
        "- - 0 13 rejected",
        "GET - HTTP/2 400 0 15 sent",
    ];
    assert_eq!(logged.lines().await, expected);
}

#[tokio::test(start_paused = true)]
async fn a_head_that_is_too_large_is_answered_once() {
    let logged = logged(|config| config.http2.max_header_list_size = 4096);
    let mut client = logged.harness.client().await;
    let large = || [block(&get("/")), literal(b"x", &[b'v'; 4096])].concat();
    client.send(Frame::headers(1, large()).end()).await;
    assert_eq!(client.response(1).await.status, 431);
    // One that is to have a body is reset behind that.
    client.send(Frame::headers(3, large())).await;
    assert_eq!(client.response(3).await.status, 431);
    assert_eq!(client.reset_of(3).await, reason::PROTOCOL_ERROR);
    client.assert_usable(5).await;
    assert_eq!(logged.number(Metric::RequestsRejected), 2);
    assert_eq!(logged.statuses(), [(200, 1), (431, 2)]);
    let expected = ["- 431 0 1 sent", "- 431 0 3 sent", "GET / HTTP/2 200 5 5 sent"];
    assert_eq!(logged.lines().await, expected);
}

async fn assert_refusal(change: impl FnOnce(&mut Config), line: &str) {
    let mut logged = logged(change);
    let mut client = logged.harness.client().await;
    client.request(1, &get("/manual")).await;
    let held = logged.harness.exchange().await;
    client.open(3, &post("/beyond")).await;
    assert_eq!(client.reset_of(3).await, reason::REFUSED_STREAM);
    drop(held);
    client.response(1).await;
    assert_eq!(logged.number(Metric::H2StreamsRefused), 1);
    assert_eq!(logged.lines().await, [line, "GET /manual HTTP/2 500 21 1 sent"]);
}

#[tokio::test(start_paused = true)]
async fn a_request_beyond_a_cap_has_its_line_whoever_refuses() {
    assert_refusal(|config| config.limits.max_in_flight = 1, "POST /beyond HTTP/2 - 0 3 refused").await;
    assert_refusal(|config| config.http2.max_concurrent_streams = 1, "- - 0 3 refused").await;
}

/// Sends it all at once: what becomes of a stream may be settled before the streams before it have been accepted.
async fn at_once(client: &mut Client, frames: impl IntoIterator<Item = Frame>) {
    let bytes: Vec<_> = frames.into_iter().flat_map(|frame| frame.encode()).collect();
    client.write(&bytes).await;
}

fn head(stream: u32, head: &[(&str, &str)]) -> Frame {
    Frame::headers(stream, block(head))
}

#[tokio::test(start_paused = true)]
async fn no_request_has_two_lines() {
    let logged = logged(|_| {});
    let mut client = logged.harness.client().await;
    let bad = with("/bad", ("content-length", "x"));
    let short = [post("/short"), vec![("content-length", "3")]].concat();
    let frames = [
        head(1, &bad).end(),
        head(3, &get("/")).end(),
        head(5, &bad).end(),
        head(7, &bad).end(),
        // Accepted, and reset by the `h2` crate for what follows.
        head(9, &short),
        Frame::data(9, *b"four").end(),
        // Whoever skips numbers has asked for nothing.
        head(21, &get("/")).end(),
        head(23, &bad).end(),
    ];
    at_once(&mut client, frames).await;
    client.assert_usable(25).await;
    let mut lines = logged.lines().await;
    lines.sort();
    let expected = [
        "- - 0 1 rejected",
        "- - 0 23 rejected",
        "- - 0 5 rejected",
        "- - 0 7 rejected",
        "GET / HTTP/2 200 5 21 sent",
        "GET / HTTP/2 200 5 25 sent",
        "GET / HTTP/2 200 5 3 sent",
        "POST /short HTTP/2 - 0 9 rejected",
    ];
    assert_eq!(lines, expected);
    assert_eq!(logged.number(Metric::RequestsRejected), 5);
    assert_eq!(logged.number(Metric::RequestsTotal), 4);
}

#[tokio::test(start_paused = true)]
async fn responses_without_a_body_are_no_refusals_where_numbers_are_skipped() {
    let logged = logged(|_| {});
    let mut client = logged.harness.client().await;
    for stream in [5, 13, 15] {
        client.request(stream, &get("/bytes/0")).await;
        assert_eq!(client.response(stream).await.status, 200);
    }
    assert_eq!(logged.number(Metric::RequestsRejected), 0);
    let line = |stream| format!("GET /bytes/0 HTTP/2 200 0 {stream} sent");
    assert_eq!(logged.lines().await, [5, 13, 15].map(line));
}

#[tokio::test(start_paused = true)]
async fn an_upload_says_how_it_ended() {
    let mut logged = logged(|_| {});
    let mut client = logged.harness.client().await;
    let grpc = [post("/manual"), vec![("content-type", "application/grpc"), ("te", "trailers")]].concat();
    for (stream, upload) in [(1, post("/collected")), (3, grpc)] {
        client.open(stream, &upload).await;
        client.send(Frame::data(stream, *b"abc")).await;
        client.send(head(stream, &[(":path", "/")]).end()).await;
        assert_eq!(client.reset_of(stream).await, reason::PROTOCOL_ERROR);
    }
    logged.harness.exchange().await.responder.respond_empty(ok());
    client.open(5, &post("/stalled")).await;
    assert_eq!(client.reset_of(5).await, reason::CANCEL);
    let expected = [
        "POST /collected HTTP/2 - 0 1 rejected",
        "POST /manual HTTP/2 - 0 3 rejected",
        "POST /stalled HTTP/2 - 0 5 timed_out",
    ];
    assert_eq!(logged.lines().await, expected);
    assert_eq!(logged.number(Metric::RequestsRejected), 2);
}

#[tokio::test(start_paused = true)]
async fn what_the_application_refuses_has_its_line() {
    let mut logged = Logged::new(observed_late_harness);
    let mut client = logged.harness.client().await;
    client.request(1, &get("/manual")).await;
    logged.harness.exchange().await.responder.refuse();
    assert_eq!(client.reset_of(1).await, reason::REFUSED_STREAM);
    let mut client = logged.harness.text_client();
    client.send("GET /manual HTTP/1.1\r\nhost: a\r\n\r\n").await;
    logged.harness.exchange().await.responder.refuse();
    assert_eq!(client.answer().await.status, 503);
    assert_eq!((logged.number(Metric::H2StreamsRefused), logged.number(Metric::RequestsTotal)), (2, 0));
    let expected = ["GET /manual HTTP/2 - 0 1 refused", "GET /manual HTTP/1.1 503 19 0 sent"];
    assert_eq!(logged.lines().await, expected);
}
