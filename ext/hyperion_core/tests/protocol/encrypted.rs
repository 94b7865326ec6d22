//! What is the same over TLS, or has to do with it.

use hyperion_core::Address;
use hyperion_core::response::Outcome;
use hyperion_core::tls::Tls;
use rustls::pki_types::CertificateDer;
use tokio::io::DuplexStream;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use crate::support::{Client, Frame, Harness, get, harness, tls};
use crate::timeouts::assert_elapsed;

const INITIAL_WINDOW_SIZE: u16 = 4;

/// The client's end of a connection that holds so many bytes in each direction, the server's task for it, and the
/// server's certificate.
fn connect(harness: &Harness, pipe: usize) -> (DuplexStream, JoinHandle<()>, CertificateDer<'static>) {
    let dir = tempfile::tempdir().unwrap();
    let (tls, certificate) = Tls::development(dir.path()).unwrap();
    let (client, server) = tokio::io::duplex(pipe);
    let unknown = Address::Unix(None);
    let task = tokio::spawn(harness.service.serve_tls(server, &tls, unknown.clone(), unknown));
    (client, task, tls::certificate(&certificate))
}

#[tokio::test(start_paused = true)]
async fn a_handshake_that_does_not_end_is_not_waited_for() {
    let harness = harness();
    let begin = Instant::now();
    let (client, task, _) = connect(&harness, 1 << 16);
    task.await.unwrap();
    assert_elapsed(begin, 10);
    drop(client);
    assert!(harness.events()[0].contains("tls_handshake_timeout"), "{:?}", harness.events());
}

#[tokio::test(start_paused = true)]
async fn plaintext_is_no_handshake() {
    let harness = harness();
    let (client, task, _) = connect(&harness, 1 << 16);
    let mut client = Client::new(client);
    client.write(b"GET / HTTP/1.1\r\nhost: example.org\r\n\r\n").await;
    task.await.unwrap();
    assert_eq!(harness.events().len(), 1, "{:?}", harness.events());
}

/// TLS takes more than the socket below it, a record with each try.
#[tokio::test(start_paused = true)]
async fn a_socket_that_takes_nothing_is_closed_in_time() {
    let mut harness = harness();
    let (client, _, certificate) = connect(&harness, 1000);
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
