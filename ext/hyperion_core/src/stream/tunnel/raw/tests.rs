use std::net::Shutdown;
use std::os::unix::net::UnixStream as Socket;

use tokio::io::{AsyncReadExt, DuplexStream, duplex};
use tokio::net::UnixStream;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use super::super::Link;
use super::*;

/// Bytes that the connection holds in each direction.
const PIPE: usize = 64 * 1024;
/// More than all buffers together.
const MUCH: usize = 4 * 1024 * 1024;

struct Ends {
    client: DuplexStream,
    app: UnixStream,
    carried: JoinHandle<Outcome>,
    failure: super::super::Failure,
}

fn open_tunnel(received: &'static [u8], head: &'static [u8]) -> Ends {
    let (client, server) = duplex(PIPE);
    let (ours, theirs) = Socket::pair().unwrap();
    theirs.set_nonblocking(true).unwrap();
    let link = Link::new(ours, None);
    let failure = link.failure();
    let beginning = Beginning { received: Bytes::from_static(received), head: Bytes::from_static(head) };
    let carried = tokio::spawn(async move {
        carry(server, beginning, link.split().unwrap(), &Timeouts::default(), |_| ()).await
    });
    Ends { client, app: UnixStream::from_std(theirs).unwrap(), carried, failure }
}

async fn read_all(io: &mut (impl AsyncRead + Unpin)) -> Vec<u8> {
    let mut bytes = Vec::new();
    io.read_to_end(&mut bytes).await.unwrap();
    bytes
}

#[tokio::test(start_paused = true)]
async fn bytes_go_both_ways_to_the_end_of_each() {
    let Ends { mut client, mut app, carried, .. } = open_tunnel(b"early ", b"head ");
    client.write_all(b"and late").await.unwrap();
    client.shutdown().await.unwrap();
    assert_eq!(read_all(&mut app).await, b"early and late");
    app.write_all(b"and body").await.unwrap();
    app.shutdown().await.unwrap();
    assert_eq!(read_all(&mut client).await, b"head and body");
    assert_eq!(carried.await.unwrap(), Outcome::Sent);
}

#[tokio::test(start_paused = true)]
async fn large_transfers_cross() {
    let Ends { client, app, carried, .. } = open_tunnel(b"", b"");
    let (mut from_server, mut to_server) = tokio::io::split(client);
    let (mut from_client, mut to_client) = app.into_split();
    let data: Vec<u8> = (0..MUCH).map(|at| (at % 251) as u8).collect();
    let write = async {
        let up = async {
            to_server.write_all(&data).await.unwrap();
            to_server.shutdown().await.unwrap();
        };
        let down = async {
            to_client.write_all(&data).await.unwrap();
            to_client.shutdown().await.unwrap();
        };
        tokio::join!(up, down)
    };
    let (received, sent, _) = tokio::join!(read_all(&mut from_client), read_all(&mut from_server), write);
    assert!(received == data && sent == data);
    assert_eq!(carried.await.unwrap(), Outcome::Sent);
}

#[tokio::test(start_paused = true)]
async fn silence_has_no_end() {
    let Ends { mut client, mut app, .. } = open_tunnel(b"", b"");
    for _ in 0..3 {
        tokio::time::sleep(Duration::from_secs(24 * 3600)).await;
        client.write_all(b"ping").await.unwrap();
        let mut bytes = [0; 4];
        app.read_exact(&mut bytes).await.unwrap();
        app.write_all(b"pong").await.unwrap();
        client.read_exact(&mut bytes).await.unwrap();
        assert_eq!(&bytes, b"pong");
    }
}

#[tokio::test(start_paused = true)]
async fn a_client_that_takes_nothing_is_let_go() {
    let Ends { client, mut app, carried, .. } = open_tunnel(b"", b"");
    let begin = Instant::now();
    assert!(app.write_all(&vec![0; MUCH]).await.is_err());
    assert_eq!(carried.await.unwrap(), Outcome::TimedOut);
    assert_eq!(begin.elapsed(), Timeouts::default().write);
    drop(client);
}

#[tokio::test(start_paused = true)]
async fn an_application_that_does_not_read_holds_up_the_client() {
    let Ends { mut client, mut app, .. } = open_tunnel(b"", b"");
    let data = vec![7; MUCH];
    let write = async { client.write_all(&data).await.unwrap() };
    let mut write = pin!(write);
    assert!(timeout(Duration::from_secs(3600), &mut write).await.is_err());
    let mut read = vec![0; MUCH];
    let (read_them, ()) = tokio::join!(app.read_exact(&mut read), write);
    read_them.unwrap();
    assert!(read == data);
}

#[tokio::test(start_paused = true)]
async fn a_client_that_is_gone_closes_the_socket() {
    let Ends { client, mut app, carried, .. } = open_tunnel(b"", b"");
    drop(client);
    assert_eq!(read_all(&mut app).await, b"");
    // That was only the end of what it sends; the next bytes show the rest.
    while app.write_all(b"late").await.is_ok() {
        tokio::task::yield_now().await;
    }
    assert_eq!(carried.await.unwrap(), Outcome::Disconnected);
}

#[tokio::test(start_paused = true)]
async fn an_application_that_closes_ends_both_sides_when_the_client_had_time_to_notice() {
    let Ends { mut client, mut app, carried, .. } = open_tunnel(b"", b"");
    app.write_all(b"bye").await.unwrap();
    drop(app);
    let begin = Instant::now();
    client.write_all(&vec![0; MUCH]).await.unwrap();
    assert_eq!(read_all(&mut client).await, b"bye");
    assert_eq!(carried.await.unwrap(), Outcome::Sent);
    assert_eq!(begin.elapsed(), NOTICE);
}

#[tokio::test(start_paused = true)]
async fn a_client_has_body_timeout_to_end_its_side_as_well() {
    let Ends { mut client, app, carried, .. } = open_tunnel(b"", b"");
    let app = app.into_std().unwrap();
    app.shutdown(Shutdown::Write).unwrap();
    assert_eq!(read_all(&mut client).await, b"");
    let begin = Instant::now();
    for _ in 0..3 {
        tokio::time::sleep(Duration::from_secs(20)).await;
        client.write_all(b"more").await.unwrap();
    }
    assert_eq!(carried.await.unwrap(), Outcome::Sent);
    assert!((80..=120).contains(&begin.elapsed().as_secs()), "{:?}", begin.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_failure_cuts_the_connection() {
    let Ends { mut client, mut app, carried, failure } = open_tunnel(b"", b"");
    app.write_all(b"some").await.unwrap();
    failure.set();
    drop(app);
    assert_eq!(read_all(&mut client).await, b"some");
    assert_eq!(carried.await.unwrap(), Outcome::Failed);
}
