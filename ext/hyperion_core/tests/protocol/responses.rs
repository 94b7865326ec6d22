//! Responses: where END_STREAM goes, what is added to a head and what is left out, files, informational responses.

use std::io::Write;
use std::time::Duration;

use bytes::Bytes;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE, DATE, HeaderName, SERVER};
use http::{HeaderValue, StatusCode};
use hyperion_core::body::FileBody;
use hyperion_core::response::Head;

use crate::support::app::{ok, pattern, push};
use crate::support::{Kind, get, harness, harness_with, reason};

fn head(status: u16) -> Head {
    Head::new(StatusCode::from_u16(status).unwrap())
}

fn request(method: &'static str) -> Vec<(&'static str, &'static str)> {
    let mut request = get("/manual");
    request[0].1 = method;
    request
}

#[tokio::test(start_paused = true)]
async fn an_empty_body_ends_with_its_head() {
    let mut harness = harness();
    let mut client = harness.client().await;
    for (stream, method, status) in [(1, "GET", 200), (3, "HEAD", 200), (5, "GET", 204), (7, "GET", 304)] {
        client.request(stream, &request(method)).await;
        let responder = harness.exchange().await.responder;
        match (method, status) {
            ("GET", 200) => responder.respond_full(head(status), Bytes::new()),
            _ => responder.respond_full(head(status), "not to be sent".into()),
        }
        let response = client.response(stream).await;
        assert_eq!((response.status, response.ended_by), (status, Some(Kind::HEADERS)), "{method} {status}");
    }
    assert!(client.is_silent_for(Duration::from_secs(1)).await);
}

#[tokio::test(start_paused = true)]
async fn a_body_ends_with_its_last_bytes() {
    let mut harness = harness();
    let mut client = harness.client().await;
    client.request(1, &get("/manual")).await;
    harness.exchange().await.responder.respond_full(ok(), pattern(20_000));
    client.request(3, &get("/manual")).await;
    let sender = harness.exchange().await.responder.respond_streaming(ok());
    for at in [0, 100] {
        push(&sender, pattern(200).slice(at..at + 100)).await.unwrap();
    }
    sender.finish(None);
    for (stream, size) in [(1, 20_000), (3, 200)] {
        let response = client.response(stream).await;
        assert_eq!(response.body, pattern(size));
        assert_eq!(response.ended_by, Some(Kind::DATA));
        assert!(!response.sizes.contains(&0), "{:?}", response.sizes);
    }
}

#[tokio::test(start_paused = true)]
async fn an_end_that_comes_late_is_an_empty_frame() {
    let mut harness = harness();
    let mut client = harness.client().await;
    client.request(1, &get("/manual")).await;
    let sender = harness.exchange().await.responder.respond_streaming(ok());
    push(&sender, pattern(10)).await.unwrap();
    assert_eq!(client.next_on(1).await.kind, Kind::HEADERS);
    assert_eq!(client.next_on(1).await.payload, pattern(10), "a chunk leaves at once");
    assert!(client.is_silent_for(Duration::from_secs(100)).await, "an open stream is nobody's stall");
    sender.finish(None);
    let end = client.next_on(1).await;
    assert!(end.is_end() && end.payload.is_empty());
}

#[tokio::test(start_paused = true)]
async fn the_length_is_added_and_corrected_when_it_is_known() {
    let mut harness = harness();
    let mut client = harness.client().await;
    for (stream, said) in [(1, None), (3, Some("3")), (5, Some("7"))] {
        client.request(stream, &get("/manual")).await;
        let mut head = ok();
        if let Some(said) = said {
            head.push(CONTENT_LENGTH, said.as_bytes()).unwrap();
        }
        harness.exchange().await.responder.respond_full(head, "abc".into());
        assert_eq!(client.response(stream).await.field("content-length"), Some("3"));
    }
    assert_eq!(harness.complaints().len(), 1, "about the 7: {:?}", harness.complaints());
}

#[tokio::test(start_paused = true)]
async fn a_body_that_memory_cannot_hold_has_its_length_all_the_same() {
    let mut harness = harness_with(|config| config.buffers.max_pending = 100);
    let mut client = harness.client().await;
    for (stream, said) in [(1, None), (3, Some("7"))] {
        client.request(stream, &get("/manual")).await;
        let mut head = ok();
        if let Some(said) = said {
            head.push(CONTENT_LENGTH, said.as_bytes()).unwrap();
        }
        harness.exchange().await.responder.respond_full(head, pattern(1000));
        assert_eq!(harness.service.spilled(), 0, "the caller does not write to the disk");
        let response = client.response(stream).await;
        assert_eq!(response.field("content-length"), Some("1000"));
        assert_eq!(response.body, pattern(1000));
    }
}

#[tokio::test(start_paused = true)]
async fn a_head_request_keeps_the_length_of_the_body_it_would_have() {
    let mut harness = harness();
    let mut client = harness.client().await;
    client.request(1, &request("HEAD")).await;
    let mut head = ok();
    head.push(CONTENT_LENGTH, b"1234").unwrap();
    let responder = harness.exchange().await.responder;
    assert!(responder.is_head());
    responder.respond_empty(head);
    assert_eq!(client.response(1).await.field("content-length"), Some("1234"));
}

#[tokio::test(start_paused = true)]
async fn no_content_has_no_length() {
    let mut harness = harness();
    let mut client = harness.client().await;
    client.request(1, &get("/manual")).await;
    let mut head = head(204);
    head.push(CONTENT_LENGTH, b"0").unwrap();
    harness.exchange().await.responder.respond_empty(head);
    assert_eq!(client.response(1).await.field("content-length"), None);
}

#[tokio::test(start_paused = true)]
async fn a_streamed_body_has_the_length_that_was_said_or_is_reset() {
    let mut harness = harness();
    let mut client = harness.client().await;
    for (stream, size, reset) in
        [(1, 10, None), (3, 9, Some(reason::INTERNAL_ERROR)), (5, 11, Some(reason::INTERNAL_ERROR))]
    {
        client.request(stream, &get("/manual")).await;
        let mut head = ok();
        head.push(CONTENT_LENGTH, b"10").unwrap();
        let sender = harness.exchange().await.responder.respond_streaming(head);
        push(&sender, pattern(size)).await.unwrap();
        sender.finish(None);
        assert_eq!(client.response(stream).await.reset, reset, "{size} bytes");
    }
    assert_eq!(harness.complaints().len(), 2, "{:?}", harness.complaints());
}

#[tokio::test(start_paused = true)]
async fn date_and_server_are_added_and_connection_fields_dropped() {
    let mut harness =
        harness_with(|config| config.server_header = Some(HeaderValue::from_static("hyperion-rs")));
    let mut client = harness.client().await;
    client.request(1, &get("/manual")).await;
    let mut given = ok();
    given.push(HeaderName::from_static("connection"), b"close").unwrap();
    given.push(HeaderName::from_static("transfer-encoding"), b"chunked").unwrap();
    harness.exchange().await.responder.respond_empty(given);
    let response = client.response(1).await;
    assert_eq!(response.field("server"), Some("hyperion-rs"));
    assert!(response.field("date").is_some_and(|date| date.ends_with(" GMT")));
    assert_eq!((response.field("connection"), response.field("transfer-encoding")), (None, None));
    client.request(3, &get("/manual")).await;
    let mut given = ok();
    given.push(DATE, b"Sun, 06 Nov 1994 08:49:37 GMT").unwrap();
    given.push(SERVER, b"mine").unwrap();
    given.push(CONTENT_TYPE, b"text/plain").unwrap();
    harness.exchange().await.responder.respond_empty(given);
    let response = client.response(3).await;
    let expected = [
        ("date", "Sun, 06 Nov 1994 08:49:37 GMT"),
        ("server", "mine"),
        ("content-type", "text/plain"),
        ("content-length", "0"),
    ];
    assert_eq!(response.fields, expected.map(|(name, value)| (name.to_owned(), value.to_owned())));
}

#[tokio::test(start_paused = true)]
async fn informational_responses_come_before_the_final_one() {
    let mut harness = harness();
    let mut client = harness.client().await;
    client.request(1, &get("/manual")).await;
    let mut responder = harness.exchange().await.responder;
    let mut hints = head(103);
    hints.push(HeaderName::from_static("link"), b"</style.css>; rel=preload").unwrap();
    responder.inform(hints);
    let interim = client.next_on(1).await;
    assert!(!interim.is_end());
    assert_eq!(
        client.decode(&interim.payload)[1],
        ("link".to_owned(), "</style.css>; rel=preload".to_owned())
    );
    responder.respond_empty(ok());
    assert_eq!(client.response(1).await.status, 200);
}

#[tokio::test(start_paused = true)]
async fn a_file_is_sent_whole_with_its_length() {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(&pattern(1_500_000)).unwrap();
    let empty = tempfile::NamedTempFile::new().unwrap();
    let mut harness = harness();
    let mut client = harness.client().await;
    client.request(1, &get("/manual")).await;
    harness.exchange().await.responder.respond_file(ok(), FileBody::open(file.path()).unwrap());
    let response = client.response(1).await;
    assert_eq!(response.field("content-length"), Some("1500000"));
    assert_eq!((response.ended_by, response.body == pattern(1_500_000)), (Some(Kind::DATA), true));
    client.request(3, &get("/manual")).await;
    harness.exchange().await.responder.respond_file(ok(), FileBody::open(empty.path()).unwrap());
    assert_eq!(client.response(3).await.ended_by, Some(Kind::HEADERS));
}

#[tokio::test(start_paused = true)]
async fn a_file_that_shrinks_resets_the_stream() {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(&pattern(1000)).unwrap();
    let mut harness = harness();
    let mut client = harness.client().await;
    client.request(1, &get("/manual")).await;
    let body = FileBody::open(file.path()).unwrap();
    file.as_file().set_len(10).unwrap();
    harness.exchange().await.responder.respond_file(ok(), body);
    assert_eq!(client.response(1).await.reset, Some(reason::INTERNAL_ERROR));
    assert_eq!(harness.complaints().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn an_exchange_that_is_dropped_is_a_500() {
    let mut harness = harness();
    let mut client = harness.client().await;
    client.request(1, &get("/manual")).await;
    drop(harness.exchange().await);
    let response = client.response(1).await;
    assert_eq!((response.status, &response.body[..]), (500, &b"Internal Server Error"[..]));
}

/// RFC 9113, section 6.5.2: the setting is advice, and what the application said goes out.
#[tokio::test(start_paused = true)]
async fn a_head_larger_than_the_client_would_like_is_sent_whole() {
    let harness = harness();
    let mut client = harness.client_with(&[(6, 10)]).await;
    client.request(1, &get("/")).await;
    let response = client.response(1).await;
    assert_eq!((response.status, response.reset), (200, None));
    assert!(response.field("date").is_some());
}

#[tokio::test(start_paused = true)]
async fn a_large_head_is_continued() {
    let mut harness = harness();
    let mut client = harness.client().await;
    client.request(1, &get("/manual")).await;
    let mut large = ok();
    for number in 0..40 {
        large.push(format!("x-{number}").parse().unwrap(), &[b'{'; 1000]).unwrap();
    }
    harness.exchange().await.responder.respond_empty(large);
    let first = client.next_on(1).await;
    assert!(first.kind == Kind::HEADERS && first.is_end() && first.flags & 0x4 == 0);
    let mut block = first.payload;
    loop {
        let next = client.next_on(1).await;
        assert_eq!(next.kind, Kind::CONTINUATION);
        assert!(next.payload.len() <= 16_384);
        block.extend(&next.payload);
        if next.flags & 0x4 != 0 {
            break;
        }
    }
    assert!(client.decode(&block).len() >= 41);
    client.assert_usable(3).await;
}

#[tokio::test(start_paused = true)]
async fn responses_pass_through_no_buffer_at_all() {
    let harness = harness_with(|config| config.buffers.response = 0);
    let mut client = harness.client().await;
    for (stream, path) in [(1, "/bytes/100000"), (3, "/stream/100000")] {
        client.request(stream, &get(path)).await;
        assert_eq!(client.response(stream).await.body, pattern(100_000), "{path}");
    }
}
