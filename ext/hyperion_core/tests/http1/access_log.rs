//! What the access log says of requests that never reach the application.

use std::time::Duration;

use hyperion_core::metrics::Metric;

use crate::support::{Logged, logged};

/// Sends this on a connection of its own, and answers the status that it gets.
async fn status(logged: &Logged, request: &str) -> u16 {
    let mut client = logged.harness.text_client();
    client.send(request).await;
    let answer = client.answer().await;
    assert!(answer.closes(), "{request:?}: {answer:?}");
    client.assert_closed().await;
    answer.status
}

#[tokio::test(start_paused = true)]
async fn a_request_that_is_refused_has_its_line_with_what_could_be_read() {
    let logged = logged(|config| config.http2.max_header_list_size = 1000);
    let long = "a".repeat(17 * 1024);
    let (large, many) = (format!("a: {long}"), "a: b\r\n".repeat(101));
    let cases = [
        ("GET /smuggle?a HTTP/1.1\r\ncontent-length: 1\r\ntransfer-encoding: chunked", 400),
        ("GET /a b HTTP/1.1", 400),
        ("\x16\x03\x01\"", 400),
        ("GET /< HTTP/1.1\r\nhost: a", 400),
        ("GET /hosts HTTP/1.0\r\nhost: a\r\nhost: b", 400),
        ("HEAD nowhere HTTP/1.1\r\nhost: a", 400),
        ("GET http://[::1 HTTP/1.1\r\nhost: a", 400),
        (&format!("GET /large HTTP/1.1\r\n{large}"), 431),
        (&format!("GET /many HTTP/1.1\r\n{many}"), 431),
        ("GET /new HTTP/3.0", 505),
        (&format!("GET /{long}"), 414),
    ];
    for (request, expected) in cases {
        let mut client = logged.harness.text_client();
        client.send(format!("{request}\r\n\r\n")).await;
        assert_eq!(client.head().await.status, expected, "{request:.80?}");
        client.rest().await;
    }
    let lines = logged.lines().await;
    let expected = [
        "GET /smuggle?a HTTP/1.1 400 11 0 sent",
        "GET /a b HTTP/1.1 400 11 0 sent",
        r"\x16\x03\x01\x22 400 11 0 sent",
        "GET /< HTTP/1.1 400 11 0 sent",
        "GET /hosts HTTP/1.0 400 11 0 sent",
        "HEAD - HTTP/1.1 400 0 0 sent",
        "- 400 0 0 sent",
        "GET /large HTTP/1.1 431 31 0 sent",
        "GET /many HTTP/1.1 431 31 0 sent",
        "GET /new HTTP/3.0 505 26 0 sent",
    ];
    assert_eq!(lines[..10], expected);
    // Of a line that is too long, the beginning.
    assert_eq!(lines[10..], [format!("GET /{} 414 12 0 sent", "a".repeat(1019))]);
    assert_eq!(logged.number(Metric::RequestsRejected), 11);
    assert_eq!(logged.statuses(), [(400, 7), (414, 1), (431, 2), (505, 1)]);
}

#[tokio::test(start_paused = true)]
async fn a_head_that_takes_too_long_has_its_line() {
    let logged = logged(|_| {});
    for start in ["GET", "GET /slow", "GET /slower HTTP/1.1\r\nhost"] {
        assert_eq!(status(&logged, start).await, 408);
    }
    let mut client = logged.harness.text_client();
    client.assert_usable().await;
    client.send("\r\nGET /second HTTP/1.1\r\n").await;
    assert_eq!(client.answer().await.status, 408);
    let expected = [
        "GET 408 15 0 sent",
        "GET /slow 408 15 0 sent",
        "GET /slower HTTP/1.1 408 15 0 sent",
        "GET / HTTP/1.1 200 5 0 sent",
        "GET /second HTTP/1.1 408 15 0 sent",
    ];
    assert_eq!(logged.lines().await, expected);
    assert_eq!(logged.statuses(), [(200, 1), (408, 4)]);
}

#[tokio::test(start_paused = true)]
async fn who_gets_no_answer_has_no_line() {
    let logged = logged(|_| {});
    for start in ["", "GET / HTTP/1.1\r\nhost: a\r\n"] {
        let mut client = logged.harness.text_client();
        client.send(start).await;
        client.shutdown().await;
        client.assert_closed().await;
    }
    // Without a word, too long.
    logged.harness.text_client().assert_closed().await;
    assert_eq!(logged.lines().await, Vec::<String>::new());
}

#[tokio::test(start_paused = true)]
async fn a_request_beyond_the_cap_has_its_line() {
    let mut logged = logged(|config| config.limits.max_in_flight = 1);
    let mut first = logged.harness.text_client();
    first.send("GET /manual HTTP/1.1\r\nhost: a\r\n\r\n").await;
    let held = logged.harness.exchange().await;
    let mut second = logged.harness.text_client();
    let answer = second.get("/beyond").await;
    assert_eq!((answer.status, answer.field("retry-after")), (503, Some("1")));
    drop(held);
    first.answer().await;
    second.assert_usable().await;
    let expected = [
        "GET /beyond HTTP/1.1 503 19 0 sent",
        "GET /manual HTTP/1.1 500 21 0 sent",
        "GET / HTTP/1.1 200 5 0 sent",
    ];
    assert_eq!(logged.lines().await, expected);
    assert_eq!((logged.number(Metric::H2StreamsRefused), logged.number(Metric::RequestsTotal)), (1, 2));
    assert_eq!(logged.statuses(), [(200, 1), (500, 1), (503, 1)]);
}

/// The request was there, and so it is not told of twice.
#[tokio::test(start_paused = true)]
async fn a_malformed_body_is_in_the_line_of_its_request() {
    let mut logged = logged(|_| {});
    let upload = |path: &str, fields: &str| {
        format!("POST {path} HTTP/1.1\r\nhost: a\r\n{fields}transfer-encoding: chunked\r\n\r\n2\r\nab\r\n")
    };
    assert_eq!(status(&logged, &format!("{}zz\r\n", upload("/collected", ""))).await, 400);
    let mut client = logged.harness.text_client();
    let grpc = "content-type: application/grpc\r\nte: trailers\r\n";
    client.send(upload("/manual", grpc)).await;
    let exchange = logged.harness.exchange().await;
    client.send("zz\r\n").await;
    assert_eq!(client.answer().await.status, 400);
    client.assert_closed().await;
    // The application comes too late.
    tokio::time::sleep(Duration::from_secs(1)).await;
    exchange.responder.respond_empty(crate::support::app::ok());
    let expected = ["POST /collected HTTP/1.1 400 11 0 sent", "POST /manual HTTP/1.1 400 11 0 sent"];
    assert_eq!(logged.lines().await, expected);
    assert_eq!((logged.number(Metric::RequestsRejected), logged.number(Metric::RequestsTotal)), (2, 2));
    assert_eq!(logged.statuses(), [(400, 2)]);
}
