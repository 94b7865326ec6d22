//! TLS on real sockets, and what comes to a TLS port that is none.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::server::{SOON, Served};
use crate::support::{Client, LogFile, TextClient, get};

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
    let served = Served::tls(|config| config.timeouts.tls_handshake = 10 * SOON);
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
async fn the_client_chooses_the_protocol() {
    let served = Served::tls(|_| {});
    for protocols in [&["http/1.1"][..], &["http/1.0"], &["other", "http/1.1"], &[]] {
        let stream = served.connect_tls_for(rustls::ALL_VERSIONS, protocols).await;
        let chosen = stream.get_ref().1.alpn_protocol().map(<[u8]>::to_vec);
        assert_eq!(chosen.as_deref(), protocols.last().map(|name| name.as_bytes()));
        TextClient::new(stream).assert_usable().await;
    }
    let stream = served.connect_tls_for(rustls::ALL_VERSIONS, &["http/1.1", "h2"]).await;
    assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"h2"[..]));
    // Without ALPN, a client that begins with the preface speaks HTTP/2.
    let mut client = Client::new(served.connect_tls_for(rustls::ALL_VERSIONS, &[]).await);
    client.handshake(&[]).await;
    client.assert_usable(1).await;
}

#[tokio::test]
async fn plaintext_is_turned_away() {
    let mut served = Served::tls(|_| {});
    for text in ["GET / HTTP/1.1\r\nhost: localhost\r\n\r\n", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "G"] {
        let mut plain = TextClient::new(served.connect().await);
        plain.send(text).await;
        let answer = plain.answer().await;
        assert_eq!((answer.status, answer.closes()), (400, true));
        assert_eq!(answer.text(), "This port speaks TLS: use https.\n");
        plain.assert_closed().await;
        let event = served.watch.event().await;
        assert!(event.contains("TLS handshake"), "{event}");
    }
    let mut garbage = served.connect().await;
    garbage.write_all(b"\x80garbage").await.unwrap();
    let mut answer = Vec::new();
    // An alert, and the end; a reset counts as one.
    let _ = timeout(SOON, garbage.read_to_end(&mut answer)).await.expect("the end in time");
    served.tls_client().await.assert_usable(1).await;
}

#[tokio::test]
async fn plaintext_is_redirected() {
    let served = Served::tls(|config| config.redirect_http = true);
    let port = served.address.port();
    let location = format!("https://localhost:{port}/a?b");
    for address in [served.address, served.redirect] {
        let mut plain = TextClient::new(TcpStream::connect(address).await.unwrap());
        plain.send("GET /a?b HTTP/1.1\r\nhost: localhost:80\r\n").await;
        plain.send("\r\n").await;
        let answer = plain.answer().await;
        assert_eq!((answer.status, answer.field("location")), (308, Some(&*location)));
        plain.assert_closed().await;
        for bad in ["GET / HTTP/1.1\r\n\r\n", "GET / HTTP/1.1\nhost: a\r\n\r\n"] {
            let mut plain = TextClient::new(TcpStream::connect(address).await.unwrap());
            plain.send(bad).await;
            assert_eq!(plain.answer().await.status, 400);
        }
    }
    served.tls_client().await.assert_usable(1).await;
    served.stop().await;
}

#[tokio::test]
async fn what_is_said_in_the_clear_is_logged() {
    for (redirects, on_tls_port) in
        [(false, "GET /a?b HTTP/1.1 400 33 0 sent"), (true, "GET /a?b HTTP/1.1 308 0 0 sent")]
    {
        let log = LogFile::open();
        let served = Served::logged(|config| config.redirect_http = redirects, &log);
        for (address, text) in [
            (served.address, "GET /a?b HTTP/1.1\r\nhost: a\r\n\r\n"),
            (served.redirect, "GET /c HTTP/1.1\r\nhost: a\r\n\r\n"),
            (served.redirect, "GET /d HTTP/1.1\r\n\r\n"),
        ] {
            let mut plain = TextClient::new(TcpStream::connect(address).await.unwrap());
            plain.send(text).await;
            plain.answer().await;
            plain.assert_closed().await;
        }
        served.stop().await;
        let redirected = "GET /c HTTP/1.1 308 0 0 sent";
        assert_eq!(log.lines(), [on_tls_port, redirected, "GET /d HTTP/1.1 400 11 0 sent"]);
    }
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
