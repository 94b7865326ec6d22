//! Requests that the application answers by hand, in the words of HTTP/1.1.

use std::time::Duration;

use hyperion_core::body::RequestBody;
use hyperion_core::response::Outcome;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;

use crate::support::app::{ok, pattern, read, sockets};
use crate::support::{Client, Frame, Harness, Kind, get, harness, harness_with, post, reason};

/// Opens stream 1, and hands it over.
async fn hijack(harness: &mut Harness, client: &mut Client) -> UnixStream {
    client.request(1, &get("/manual")).await;
    let (ours, theirs) = sockets();
    harness.exchange().await.responder.hijack(ours);
    theirs
}

/// What the client sees when the application writes this and closes.
async fn answer(text: &[u8]) -> (crate::support::client::Response, Vec<String>) {
    let mut harness = harness();
    let mut client = harness.client().await;
    let mut app = hijack(&mut harness, &mut client).await;
    app.write_all(text).await.unwrap();
    drop(app);
    let response = client.response(1).await;
    harness.idle().await;
    client.assert_usable(3).await;
    (response, harness.complaints())
}

#[tokio::test(start_paused = true)]
async fn the_fields_of_a_connection_are_left_out() {
    let text = b"HTTP/1.1 201 Created\r\nContent-Type: text/plain\r\nConnection: close\r\nKeep-Alive: x\r\n\
        Transfer-Encoding: identity\r\nX-Own: 1\r\n\r\nthe body";
    let (response, complaints) = answer(text).await;
    assert_eq!((response.status, response.body.as_slice()), (201, &b"the body"[..]));
    let names: Vec<_> = response.fields.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["content-type", "x-own", "date"]);
    assert_eq!(complaints, [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn the_body_ends_as_its_head_says() {
    let bodies = [
        (&b"Content-Length: 4\r\n\r\nbody, and more"[..], Some("4")),
        (b"Transfer-Encoding: chunked\r\n\r\n2\r\nbo\r\n2\r\ndy\r\n0\r\n\r\n", None),
        (b"Transfer-Encoding: chunked\r\nContent-Length: 9\r\n\r\n4\r\nbody\r\n0\r\n\r\n", None),
        (b"\r\nbody", None),
    ];
    for (rest, length) in bodies {
        let (response, complaints) = answer(&[b"HTTP/1.1 200 OK\r\n", rest].concat()).await;
        assert_eq!(response.body, b"body", "{rest:?}");
        assert_eq!((response.field("content-length"), response.reset), (length, None));
        assert_eq!(complaints, [""; 0]);
    }
}

#[tokio::test(start_paused = true)]
async fn a_response_of_a_known_length_ends_before_its_socket_does() {
    let mut harness = harness();
    let mut client = harness.client().await;
    let mut app = hijack(&mut harness, &mut client).await;
    app.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nbody").await.unwrap();
    assert_eq!(client.response(1).await.body, b"body");
    assert_eq!(app.read(&mut [0; 8]).await.unwrap(), 0);
    assert_eq!(harness.outcome().await, Outcome::Sent);
}

#[tokio::test(start_paused = true)]
async fn informational_responses_go_before() {
    let text = b"HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n";
    let (response, _) = answer(text).await;
    assert_eq!((response.informational, response.status), (vec![103], 204));
}

#[tokio::test(start_paused = true)]
async fn what_is_no_response_is_answered_500() {
    let texts = [
        &b""[..],
        b"HTTP/1.1 200 OK\r\n",
        b"hello\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nx: a\0b\r\n\r\n",
        b"HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\n\r\n",
    ];
    for text in texts {
        let (response, complaints) = answer(text).await;
        assert_eq!((response.status, response.reset), (500, None), "{text:?}");
        assert_eq!(complaints.len(), 1, "{text:?}: {complaints:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_body_that_breaks_off_resets_the_stream() {
    let bodies = [
        &b"content-length: 9\r\n\r\nbody"[..],
        b"transfer-encoding: chunked\r\n\r\n4\r\nbody\r\n",
        b"transfer-encoding: chunked\r\n\r\n4\r\nbody\r\nx",
    ];
    for body in bodies {
        let (response, complaints) = answer(&[b"HTTP/1.1 200 OK\r\n", body].concat()).await;
        assert_eq!((response.status, response.reset), (200, Some(reason::INTERNAL_ERROR)));
        assert_eq!(complaints.len(), 1, "{complaints:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_head_may_come_late_and_in_parts() {
    let mut harness = harness();
    let mut client = harness.client().await;
    let mut app = hijack(&mut harness, &mut client).await;
    for part in ["HTTP/1.1 20", "0 OK\r\n", "x: 1\r\n\r", "\n"] {
        assert!(client.is_silent_for(Duration::from_secs(500)).await);
        app.write_all(part.as_bytes()).await.unwrap();
    }
    drop(app);
    assert_eq!(client.response(1).await.field("x"), Some("1"));
}

#[tokio::test(start_paused = true)]
async fn a_client_that_is_gone_closes_the_socket() {
    for answered in [false, true] {
        let mut harness = harness();
        let mut client = harness.client().await;
        let mut app = hijack(&mut harness, &mut client).await;
        if answered {
            app.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await.unwrap();
            assert_eq!(client.next_on(1).await.kind, Kind::HEADERS);
        }
        client.send(Frame::reset(1, reason::CANCEL)).await;
        assert_eq!(app.read(&mut [0; 8]).await.unwrap(), 0);
        assert!(app.write_all(b"late").await.is_err());
        assert_eq!(harness.outcome().await, Outcome::Disconnected);
        harness.idle().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_client_that_takes_nothing_holds_up_the_application_and_then_is_cut_off() {
    const SIZE: usize = 4 * 1024 * 1024;
    let mut harness = harness();
    let mut client = harness.client().await;
    client.refills = false;
    let mut app = hijack(&mut harness, &mut client).await;
    app.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await.unwrap();
    let begin = tokio::time::Instant::now();
    let mut written = 0;
    let failed = loop {
        match app.write(&pattern(64 * 1024)).await {
            Ok(count) => written += count,
            Err(error) => break error,
        }
    };
    assert_eq!(failed.kind(), std::io::ErrorKind::BrokenPipe);
    assert!(written < SIZE, "{written}");
    assert_eq!(begin.elapsed().as_secs(), 30);
    assert_eq!(harness.outcome().await, Outcome::TimedOut);
}

#[tokio::test(start_paused = true)]
async fn a_large_body_arrives_as_the_client_takes_it() {
    const SIZE: usize = 8 * 1024 * 1024;
    let mut harness = harness();
    let mut client = harness.client().await;
    let mut app = hijack(&mut harness, &mut client).await;
    tokio::spawn(async move {
        app.write_all(format!("HTTP/1.1 200 OK\r\ncontent-length: {SIZE}\r\n\r\n").as_bytes()).await.unwrap();
        app.write_all(&pattern(SIZE)).await.unwrap();
    });
    assert!(client.response(1).await.body == pattern(SIZE));
    harness.idle().await;
}

#[tokio::test(start_paused = true)]
async fn the_socket_has_what_is_left_of_the_request() {
    let mut harness = harness_with(|config| config.buffers.request_buffering = false);
    let mut client = harness.client().await;
    client.open(1, &post("/manual")).await;
    client.send(Frame::data(1, *b"before")).await;
    let exchange = harness.exchange().await;
    let RequestBody::Incoming(incoming) = exchange.body else { panic!() };
    assert_eq!(read(&incoming).await.unwrap().unwrap(), "before");
    let (ours, mut app) = sockets();
    exchange.responder.hijack(ours);
    client.send(Frame::data(1, *b"after").end()).await;
    let mut rest = [0; 5];
    app.read_exact(&mut rest).await.unwrap();
    assert_eq!((&rest, read(&incoming).await), (b"after", Ok(None)));
    assert_eq!(app.read(&mut [0; 8]).await.unwrap(), 0);
    app.write_all(b"HTTP/1.1 200 OK\r\n\r\nwell").await.unwrap();
    drop((app, incoming));
    assert_eq!(client.response(1).await.body, b"well");
    harness.idle().await;
}

#[tokio::test(start_paused = true)]
async fn the_end_is_told_whenever_somebody_asks() {
    let mut harness = harness();
    let mut client = harness.client().await;
    for stream in [1, 3] {
        client.request(stream, &get("/manual")).await;
        let (ours, mut app) = sockets();
        let hijacked = harness.exchange().await.responder.hijack(ours);
        let (sender, told) = tokio::sync::oneshot::channel();
        if stream == 1 {
            hijacked.on_finish(|outcome| sender.send(outcome).unwrap());
            app.write_all(b"HTTP/1.1 204 No Content\r\n\r\n").await.unwrap();
        } else {
            app.write_all(b"HTTP/1.1 204 No Content\r\n\r\n").await.unwrap();
            harness.idle().await;
            hijacked.on_finish(|outcome| sender.send(outcome).unwrap());
        }
        assert_eq!(told.await.unwrap(), Outcome::Sent);
    }
}

#[tokio::test(start_paused = true)]
async fn a_stop_waits_for_a_response_by_hand() {
    let mut harness = harness();
    let mut client = harness.client().await;
    let mut app = hijack(&mut harness, &mut client).await;
    let service = harness.service.clone();
    let stop = tokio::spawn(async move { service.stop().await });
    client.goaway().await;
    tokio::time::sleep(Duration::from_secs(10)).await;
    app.write_all(b"HTTP/1.1 200 OK\r\n\r\nlate").await.unwrap();
    drop(app);
    assert_eq!(client.response(1).await.body, b"late");
    stop.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn after_a_head_of_its_own_the_application_writes_the_body() {
    let mut harness = harness();
    let mut client = harness.client().await;
    for (stream, fails) in [(1, false), (3, true)] {
        client.request(stream, &get("/manual")).await;
        let (ours, mut app) = sockets();
        let mut head = ok();
        head.push(http::header::CONTENT_TYPE, b"text/event-stream").unwrap();
        let failure = harness.exchange().await.responder.respond_tunnel(head, ours);
        assert_eq!(client.next_on(stream).await.kind, Kind::HEADERS);
        app.write_all(b"HTTP/1.1 is no head here").await.unwrap();
        assert_eq!(client.next_on(stream).await.payload, b"HTTP/1.1 is no head here");
        if fails {
            failure.set();
        }
        drop(app);
        let end = client.response(stream).await;
        assert_eq!(end.reset, fails.then_some(reason::INTERNAL_ERROR));
        assert_eq!(harness.outcome().await, if fails { Outcome::Failed } else { Outcome::Sent });
    }
}

#[tokio::test(start_paused = true)]
async fn a_response_to_head_has_no_body() {
    let mut harness = harness();
    let mut client = harness.client().await;
    let mut head = get("/manual");
    head[0].1 = "HEAD";
    client.request(1, &head).await;
    let (ours, mut app) = sockets();
    harness.exchange().await.responder.hijack(ours);
    app.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nbody").await.unwrap();
    let response = client.response(1).await;
    assert_eq!((response.field("content-length"), response.body.len()), (Some("4"), 0));
    harness.idle().await;
}
