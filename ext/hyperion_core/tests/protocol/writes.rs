//! How frames leave: what a turn of the connection has for its peer goes out at once, in full TLS records.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};

use hyperion_core::tls::Tls;
use hyperion_core::{Address, Peer};
use tokio::io::{AsyncRead, AsyncWrite, DuplexStream, ReadBuf};

use crate::support::app::pattern;
use crate::support::client::block;
use crate::support::{Client, Frame, Harness, get, harness, tls};

const INITIAL_WINDOW_SIZE: u16 = 4;
const WINDOW: u32 = 1 << 24;
/// Bytes that the connection holds: all that a test wants sent.
const PIPE: usize = 1 << 22;
/// What a TLS record can hold (RFC 8446, section 5.1).
const RECORD: usize = 1 << 14;

/// Writes so far, by their bytes.
type Tally = Arc<Mutex<Vec<Vec<u8>>>>;

/// The server's end of a connection, whose writes are tallied.
struct Tallied(DuplexStream, Tally);

impl AsyncRead for Tallied {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(cx, buffer)
    }
}

impl AsyncWrite for Tallied {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.0).poll_write(cx, bytes);
        if let Poll::Ready(Ok(count)) = &written {
            self.1.lock().unwrap().push(bytes[..*count].to_vec());
        }
        written
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }
}

async fn clear(harness: &Harness) -> (Client, Tally) {
    let (client, server) = tokio::io::duplex(PIPE);
    let tally = Tally::default();
    let peer = Peer { remote: Address::Unix(None), local: Address::Unix(None), tls: None };
    tokio::spawn(harness.service.serve(Tallied(server, tally.clone()), peer));
    (greeted(Client::new(client), &tally).await, tally)
}

async fn encrypted(harness: &Harness) -> (Client, Tally) {
    let dir = tempfile::tempdir().unwrap();
    let (tls, certificate) = Tls::development(dir.path()).unwrap();
    let (client, server) = tokio::io::duplex(PIPE);
    let tally = Tally::default();
    let unknown = Address::Unix(None);
    tokio::spawn(harness.service.serve_tls(
        Tallied(server, tally.clone()),
        &tls,
        unknown.clone(),
        unknown.clone(),
    ));
    let certificate = tls::certificate(&certificate);
    let client = tls::connect(client, certificate, rustls::ALL_VERSIONS, &["h2"]).await;
    (greeted(Client::new(client), &tally).await, tally)
}

/// With windows for whatever comes; nothing is tallied yet.
async fn greeted(mut client: Client, tally: &Tally) -> Client {
    client.refills = false;
    client.handshake(&[(INITIAL_WINDOW_SIZE, WINDOW)]).await;
    client.send(Frame::window_update(0, WINDOW)).await;
    client.assert_usable(1).await;
    tally.lock().unwrap().clear();
    client
}

/// The lengths of the TLS records.
fn records(tally: &Tally) -> Vec<usize> {
    let bytes = tally.lock().unwrap().concat();
    let (mut rest, mut lengths) = (&bytes[..], Vec::new());
    while let [_, _, _, high, low, ..] = *rest {
        let length = usize::from(u16::from_be_bytes([high, low]));
        lengths.push(length);
        rest = &rest[5 + length..];
    }
    lengths
}

#[tokio::test(start_paused = true)]
async fn responses_to_requests_that_came_together_leave_together() {
    let harness = harness();
    let (mut client, tally) = clear(&harness).await;
    let streams = || (3..).step_by(2).take(32);
    let requests = streams().flat_map(|id| Frame::headers(id, block(&get("/bytes/1000"))).end().encode());
    client.write(&requests.collect::<Vec<_>>()).await;
    for id in streams() {
        assert_eq!(client.response(id).await.body, pattern(1000));
    }
    assert_eq!(tally.lock().unwrap().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn the_frames_of_a_response_share_tls_records() {
    let harness = harness();
    let (mut client, tally) = encrypted(&harness).await;
    client.request(3, &get("/bytes/100000")).await;
    let response = client.response(3).await;
    assert_eq!(response.body, pattern(100_000));
    let records = records(&tally);
    assert_eq!(records.len(), 100_000_usize.div_ceil(RECORD), "{records:?}");
    assert!(response.sizes.len() >= records.len(), "{:?}", response.sizes);
}

/// The server takes turns of as much as it gathers, and not of a little more.
#[tokio::test(start_paused = true)]
async fn a_long_response_leaves_in_full_tls_records() {
    const SIZE: usize = 2_000_000;
    let harness = harness();
    let (mut client, tally) = encrypted(&harness).await;
    for (id, path) in [(3, "bytes"), (5, "stream")] {
        client.request(id, &get(&format!("/{path}/{SIZE}"))).await;
        assert_eq!(client.response(id).await.body, pattern(SIZE));
        let records = records(&tally);
        let most = SIZE.div_ceil(RECORD) * 11 / 10;
        assert!(records.len() <= most, "{path}: {} of {most}: {records:?}", records.len());
        tally.lock().unwrap().clear();
    }
}
