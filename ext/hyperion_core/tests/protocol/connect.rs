//! CONNECT (RFC 9113, section 8.5), and the extended one (RFC 8441).

use bytes::Bytes;
use hyperion_core::Exchange;
use hyperion_core::body::RequestBody;

use crate::support::app::ok;
use crate::support::{Frame, get, harness, harness_with, reason};

#[tokio::test(start_paused = true)]
async fn connect_is_not_implemented() {
    let harness = harness();
    let mut client = harness.client().await;
    client.open(1, &[(":method", "CONNECT"), (":authority", "example.org:443")]).await;
    assert_eq!(client.response(1).await.status, 501);
    let mut malformed = get("/");
    malformed[0].1 = "CONNECT";
    client.request(3, &malformed).await;
    assert_eq!(client.reset_of(3).await, reason::PROTOCOL_ERROR);
}

#[tokio::test(start_paused = true)]
async fn the_extended_connect_is_offered_unless_it_is_off() {
    const ENABLE_CONNECT_PROTOCOL: u16 = 8;
    for (on, offered) in [(true, 1), (false, 0)] {
        let harness = harness_with(|config| config.http2.connect_protocol = on);
        let mut client = harness.client().await;
        let setting = client.server_settings.iter().find(|(id, _)| *id == ENABLE_CONNECT_PROTOCOL);
        assert_eq!(setting.map_or(0, |(_, value)| *value), offered);
        client.assert_usable(1).await;
    }
}

#[tokio::test(start_paused = true)]
async fn an_extended_connect_reaches_the_application_with_its_head() {
    let mut harness = harness();
    let mut client = harness.client().await;
    let head = [
        (":method", "CONNECT"),
        (":protocol", "websocket"),
        (":scheme", "https"),
        (":path", "/manual"),
        (":authority", "example.org"),
    ];
    client.open(1, &head).await;
    let Exchange { request, body, responder } = harness.exchange().await;
    assert_eq!(request.connect_protocol.as_deref(), Some(&b"websocket"[..]));
    let RequestBody::Incoming(incoming) = body else { panic!("{body:?}") };
    let sender = responder.respond_streaming(ok());
    client.send(Frame::data(1, *b"ping")).await;
    let read = std::future::poll_fn(|cx| incoming.poll_read(cx)).await;
    assert_eq!(read.unwrap().unwrap(), "ping");
    sender.offer(Bytes::from_static(b"pong")).unwrap();
    sender.finish(None);
    client.send(Frame::data(1, []).end()).await;
    let response = client.response(1).await;
    assert_eq!((response.status, response.body.as_slice()), (200, &b"pong"[..]));
}
