//! TLS on real sockets, and what comes to a TLS port that is none.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::timeout;

use super::server::{SOON, Served};
use crate::support::{Client, get};

#[tokio::test]
async fn both_versions_agree_on_http2() {
    for version in rustls::ALL_VERSIONS {
        let served = Served::tls(|_| {});
        let stream = served.connect_tls(&[version]).await;
        assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"h2"[..]));
        let mut client = Client::new(stream);
        client.handshake(&[]).await;
        client.request(1, &get("/bytes/100000")).await;
        assert_eq!(client.response(1).await.body.len(), 100_000);
        drop(client);
        served.stop().await;
    }
}

#[tokio::test]
async fn half_open_handshakes_disturb_nobody() {
    let served = Served::tls(|_| {});
    let mut silent = Vec::new();
    for _ in 0..200 {
        silent.push(served.connect().await);
    }
    let mut client = timeout(SOON, served.tls_client()).await.expect("a handshake in time");
    client.assert_usable(1).await;
    for stream in &mut silent {
        assert_eq!(stream.try_read(&mut [0]).unwrap_err().kind(), std::io::ErrorKind::WouldBlock);
    }
    drop(client);
    // And they are no reason to wait.
    served.stop().await;
}

#[tokio::test]
async fn plaintext_is_turned_away() {
    let mut served = Served::tls(|_| {});
    for text in [&b"GET / HTTP/1.1\r\nhost: localhost\r\n\r\n"[..], b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"] {
        let mut plain = served.connect().await;
        plain.write_all(text).await.unwrap();
        let mut answer = Vec::new();
        // An alert, and the end; a reset counts as one.
        let _ = timeout(SOON, plain.read_to_end(&mut answer)).await.expect("the end in time");
        let event = served.watch.event().await;
        assert!(event.contains("TLS handshake"), "{event}");
    }
    served.tls_client().await.assert_usable(1).await;
}

#[tokio::test]
async fn a_handshake_has_a_deadline() {
    let mut served = Served::tls(|config| config.timeouts.tls_handshake = Duration::from_millis(50));
    let mut silent = served.connect().await;
    let read = timeout(SOON, silent.read(&mut [0])).await.expect("the end in time");
    assert!(matches!(read, Ok(0) | Err(_)));
    let event = served.watch.event().await;
    assert!(event.contains("tls_handshake_timeout"), "{event}");
}
