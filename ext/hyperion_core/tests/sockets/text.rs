//! HTTP/1.1 on real sockets.

use std::time::Duration;

use hyperion_core::response::Outcome;
use socket2::SockRef;
use tokio::time::timeout;

use super::server::{SOON, Served};
use crate::support::TextClient;

#[tokio::test]
async fn a_reset_is_noticed_while_the_application_works() {
    let mut served = Served::plain(|_| {});
    let stream = served.connect().await;
    // Closing it will reset the connection.
    SockRef::from(&stream).set_linger(Some(Duration::ZERO)).unwrap();
    let mut client = TextClient::new(stream);
    client.send("GET /manual HTTP/1.1\r\nhost: a\r\n\r\n").await;
    let mut exchange = timeout(SOON, served.watch.exchange()).await.expect("a call in time");
    drop(client);
    let gone = async {
        while !exchange.responder.is_disconnected() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(SOON, gone).await.expect("a sign in time");
    drop(exchange);
    assert_eq!(timeout(SOON, served.watch.outcome()).await.expect("an end in time"), Outcome::Disconnected);
}

#[tokio::test]
async fn a_large_upload_that_is_refused_gets_its_answer() {
    let served = Served::plain(|config| config.limits.max_body_size = 1000);
    let stream = served.connect().await;
    // The sockets hold a part of it only: the server has to read, and has no more than its seconds of lingering for that.
    SockRef::from(&stream).set_send_buffer_size(64 * 1024).unwrap();
    let mut client = TextClient::new(stream);
    client.send("POST /echo HTTP/1.1\r\nhost: a\r\ncontent-length: 1000000\r\n\r\n").await;
    // All of it, before it looks up.
    client.send(vec![b'x'; 1_000_000]).await;
    assert_eq!(client.answer().await.status, 413);
    client.assert_closed().await;
}
