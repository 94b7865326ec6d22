//! What the access log says of requests, however they end.

use std::path::PathBuf;
use std::time::Duration;

use hyperion_core::access_log::{AccessLog, Format, Target};
use hyperion_core::response::Outcome;
use hyperion_core::{Config, Observer};
use tempfile::TempDir;

use crate::support::app::{observed_harness, ok, pattern, push};
use crate::support::{Frame, Harness, get, post, reason};

const INITIAL_WINDOW_SIZE: u16 = 4;

/// A harness with an access log, and where that is.
struct Logged {
    harness: Harness,
    path: PathBuf,
    _dir: TempDir,
}

fn logged() -> Logged {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("access.log");
    let access_log = Some(AccessLog::open(Format::Common, Target::File(path.clone())).unwrap());
    let observer = Observer { access_log, ..Observer::default() };
    Logged { harness: observed_harness(Config::default(), observer), path, _dir: dir }
}

impl Logged {
    /// Waits for the end of a response.
    async fn ended(&mut self, outcome: Outcome) {
        assert_eq!(self.harness.outcome().await, outcome);
        self.harness.idle().await;
    }

    /// Request line, status, bytes, stream and outcome of each line.
    fn lines(&self) -> Vec<String> {
        self.harness.service.observer().access_log.as_ref().unwrap().finish();
        let text = std::fs::read_to_string(&self.path).unwrap();
        text.lines().map(essence).collect()
    }
}

fn essence(line: &str) -> String {
    let (_, rest) = line.split_once('"').unwrap();
    let (request, rest) = rest.split_once("\" ").unwrap();
    let fields: Vec<_> = rest.split(' ').collect();
    let [status, bytes, duration, _wait, stream, outcome] = fields[..] else { panic!("{line}") };
    assert!(duration.parse::<f64>().unwrap() < 60.0, "{line}");
    format!("{request} {status} {bytes} {stream} {outcome}")
}

#[tokio::test(start_paused = true)]
async fn each_response_has_its_line() {
    let mut logged = logged();
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
    assert_eq!(logged.lines(), expected);
}

#[tokio::test(start_paused = true)]
async fn a_response_that_failed_says_how_much_was_sent() {
    let mut logged = logged();
    let mut client = logged.harness.client().await;
    client.request(1, &get("/manual")).await;
    let sender = logged.harness.exchange().await.responder.respond_streaming(ok());
    push(&sender, pattern(1000)).await.unwrap();
    while client.next_on(1).await.payload.len() != 1000 {}
    sender.fail();
    client.reset_of(1).await;
    logged.ended(Outcome::Failed).await;
    assert_eq!(logged.lines(), ["GET /manual HTTP/2 200 1000 1 failed"]);
}

#[tokio::test(start_paused = true)]
async fn a_client_that_takes_a_part_is_told_apart() {
    let mut logged = logged();
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
    assert_eq!(logged.lines(), expected);
}

#[tokio::test(start_paused = true)]
async fn a_request_that_is_given_up_has_no_status() {
    let mut logged = logged();
    let mut client = logged.harness.client().await;
    client.request(1, &get("/manual")).await;
    let exchange = logged.harness.exchange().await;
    client.send(Frame::reset(1, reason::CANCEL)).await;
    client.assert_usable(3).await;
    assert_eq!(logged.harness.outcome().await, Outcome::Sent);
    drop(exchange);
    logged.ended(Outcome::Disconnected).await;
    assert_eq!(logged.lines(), ["GET / HTTP/2 200 5 3 sent", "GET /manual HTTP/2 - 0 1 disconnected"]);
}
