//! Trailers of requests and responses (RFC 9113, section 8.1).

use bytes::Bytes;
use httlib_hpack::Encoder;
use http::{HeaderMap, HeaderValue};
use hyperion_core::body::{BodyError, RequestBody};

use crate::support::app::{ok, read};
use crate::support::client::{block, compressed};
use crate::support::{Frame, Kind, get, harness, harness_with, post, reason};

#[tokio::test(start_paused = true)]
async fn trailers_of_a_collected_body_are_kept_apart() {
    let mut harness = harness();
    let mut client = harness.client().await;
    client.open(1, &post("/manual")).await;
    client.send(Frame::data(1, *b"body")).await;
    client.send(Frame::headers(1, block(&[("x-checksum", "1")])).end()).await;
    let exchange = harness.exchange().await;
    assert!(!exchange.request.headers.contains_key("x-checksum"));
    let RequestBody::Collected(body) = exchange.body else { panic!() };
    assert_eq!(body.trailers().unwrap()["x-checksum"], "1");
}

#[tokio::test(start_paused = true)]
async fn trailers_of_a_streamed_body_come_at_its_end() {
    let mut harness = harness_with(|config| config.buffers.request_buffering = false);
    let mut client = harness.client().await;
    client.open(1, &post("/manual")).await;
    let RequestBody::Incoming(body) = harness.exchange().await.body else { panic!() };
    client.send(Frame::headers(1, block(&[("x-checksum", "1")])).end()).await;
    assert_eq!(read(&body).await, Ok(None));
    assert_eq!(body.trailers().unwrap()["x-checksum"], "1");
}

#[tokio::test(start_paused = true)]
async fn malformed_trailers_reset_the_stream() {
    let malformed = [(":path", "/"), (":unknown", "1"), (":status", "200"), ("X-Upper", "1"), ("x", "a\nb")];
    for trailer in malformed {
        for buffering in [true, false] {
            let mut harness = harness_with(|config| config.buffers.request_buffering = buffering);
            let mut client = harness.client().await;
            let mut encoder = Encoder::default();
            // Twice, so that the second time the line is one index of the table.
            for stream in [1, 3] {
                client.open(stream, &post("/manual")).await;
                client.send(Frame::data(stream, *b"body")).await;
                let streamed = if buffering { None } else { Some(harness.exchange().await) };
                let block = compressed(&mut encoder, &[("x-good", "1"), trailer]);
                client.send(Frame::headers(stream, block).end()).await;
                assert_eq!(client.reset_of(stream).await, reason::PROTOCOL_ERROR, "{trailer:?}");
                if let Some(RequestBody::Incoming(body)) = streamed.map(|exchange| exchange.body) {
                    assert_eq!(read(&body).await.unwrap().unwrap(), "body");
                    assert_eq!(read(&body).await, Err(BodyError::Disconnected));
                }
            }
            assert!(!harness.was_called());
            client.assert_usable(5).await;
            harness.idle().await;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn malformed_trailers_that_come_with_their_head_are_no_exception() {
    let mut harness = harness();
    let mut client = harness.client().await;
    let head = Frame::headers(1, block(&post("/manual"))).encode();
    let trailers = Frame::headers(1, block(&[(":path", "/")])).end().encode();
    client.write(&[head, trailers].concat()).await;
    assert_eq!(client.reset_of(1).await, reason::PROTOCOL_ERROR);
    assert!(!harness.was_called());
}

#[tokio::test(start_paused = true)]
async fn trailers_end_the_stream() {
    let harness = harness();
    let mut client = harness.client().await;
    client.open(1, &post("/echo")).await;
    client.send(Frame::headers(1, block(&[("x-checksum", "1")]))).await;
    assert_eq!(client.reset_of(1).await, reason::PROTOCOL_ERROR);
    client.assert_usable(3).await;
}

#[tokio::test(start_paused = true)]
async fn the_body_before_trailers_has_the_length_that_was_said() {
    let mut harness = harness();
    let mut client = harness.client().await;
    let mut head = post("/manual");
    head.push(("content-length", "5"));
    client.open(1, &head).await;
    client.send(Frame::data(1, *b"four")).await;
    client.send(Frame::headers(1, block(&[("x-checksum", "1")])).end()).await;
    assert_eq!(client.reset_of(1).await, reason::PROTOCOL_ERROR);
    assert!(!harness.was_called());
}

#[tokio::test(start_paused = true)]
async fn trailers_of_a_response_end_it() {
    let mut harness = harness();
    let mut client = harness.client().await;
    for (stream, chunk) in [(1, Some("body")), (3, None)] {
        client.request(stream, &get("/manual")).await;
        let sender = harness.exchange().await.responder.respond_streaming(ok());
        if let Some(chunk) = chunk {
            sender.offer(Bytes::from_static(chunk.as_bytes())).unwrap();
        }
        let status = ("grpc-status".parse::<http::HeaderName>().unwrap(), HeaderValue::from_static("0"));
        sender.finish(Some(HeaderMap::from_iter([status])));
        let response = client.response(stream).await;
        assert_eq!(response.body, chunk.unwrap_or("").as_bytes());
        assert_eq!(response.trailers.unwrap(), [("grpc-status".to_owned(), "0".to_owned())]);
        assert_eq!(response.ended_by, Some(Kind::HEADERS));
    }
    harness.idle().await;
}
