//! What is the same over TLS, or has to do with it.

use std::sync::Arc;

use hyperion_core::Address;
use hyperion_core::response::Outcome;
use hyperion_core::tls::Tls;
use tokio::time::Instant;

use crate::support::{Client, Frame, get, harness, tls};
use crate::timeouts::assert_elapsed;

const INITIAL_WINDOW_SIZE: u16 = 4;

#[tokio::test(start_paused = true)]
async fn a_handshake_that_does_not_end_is_not_waited_for() {
    let dir = tempfile::tempdir().unwrap();
    let (tls, _) = Tls::development(dir.path()).unwrap();
    let harness = harness();
    let (client, server) = tokio::io::duplex(1 << 16);
    let unknown = Address::Unix(None);
    let connection = harness.service.serve_tls(server, &tls, unknown.clone(), unknown);
    let begin = Instant::now();
    tokio::spawn(connection).await.unwrap();
    assert_elapsed(begin, 10);
    drop(client);
    assert!(harness.events()[0].contains("tls_handshake_timeout"), "{:?}", harness.events());
}

#[tokio::test(start_paused = true)]
async fn plaintext_is_no_handshake() {
    let dir = tempfile::tempdir().unwrap();
    let (tls, _) = Tls::development(dir.path()).unwrap();
    let harness = harness();
    let (client, server) = tokio::io::duplex(1 << 16);
    let unknown = Address::Unix(None);
    let connection =
        tokio::spawn(harness.service.serve_tls(server, &Arc::new(tls), unknown.clone(), unknown));
    let mut client = Client::new(client);
    client.write(b"GET / HTTP/1.1\r\nhost: example.org\r\n\r\n").await;
    connection.await.unwrap();
    assert_eq!(harness.events().len(), 1, "{:?}", harness.events());
}

/// TLS takes more than the socket below it, a record with each try.
#[tokio::test(start_paused = true)]
async fn a_socket_that_takes_nothing_is_closed_in_time() {
    let dir = tempfile::tempdir().unwrap();
    let (server_tls, certificate) = Tls::development(dir.path()).unwrap();
    let mut harness = harness();
    let (client, server) = tokio::io::duplex(1000);
    let unknown = Address::Unix(None);
    tokio::spawn(harness.service.serve_tls(server, &server_tls, unknown.clone(), unknown));
    let certificate = tls::certificate(&certificate);
    let mut client = Client::new(tls::connect(client, certificate, rustls::ALL_VERSIONS, &["h2"]).await);
    client.handshake(&[(INITIAL_WINDOW_SIZE, 1 << 24)]).await;
    client.send(Frame::window_update(0, 1 << 24)).await;
    for id in [1, 3, 5] {
        client.request(id, &get("/bytes/1000000")).await;
    }
    let begin = Instant::now();
    assert_eq!(harness.outcome().await, Outcome::Disconnected);
    assert_elapsed(begin, 30);
    harness.idle().await;
}
