//! Accepting connections: limits, unix sockets, and a process that is out of file descriptors.

use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use hyperion_core::listener::{Binding, Inherited};
use hyperion_core::{Address, Config, Observer, Server};
use tokio::net::{TcpStream, UnixStream};
use tokio::time::timeout;

use super::server::{SOON, Served};
use crate::support::Client;
use crate::support::app::App;

#[tokio::test]
async fn a_stop_ends_connections_and_listening() {
    let served = Served::plain(|_| {});
    let (mut client, address) = (served.client().await, served.address);
    client.assert_usable(1).await;
    let reading = tokio::spawn(async move { client.rest().await });
    served.stop().await;
    reading.await.unwrap();
    assert!(TcpStream::connect(address).await.is_err());
}

#[tokio::test]
async fn a_server_that_hands_over_refuses_nobody() {
    let served = Served::plain(|_| {});
    served.client().await.assert_usable(1).await;
    served.running.hand_over();
    timeout(SOON, served.running.finished()).await.expect("a stop in time");
    let mut early = Client::new(served.connect().await);

    let mut inherited = Inherited::default();
    for socket in served.running.listeners() {
        inherited.push(socket).unwrap();
    }
    let binding = Binding::Tcp { host: "127.0.0.1".into(), port: 0 };
    let next = Server::bind_with(Config::default(), &[binding], 16, None, &mut inherited).unwrap();
    assert!(matches!(next.addresses().next(), Some(Address::Tcp(address)) if *address == served.address));
    let (app, _watch) = App::new();
    let running = next.start(Arc::new(app), Observer::default()).unwrap();
    early.handshake(&[]).await;
    early.assert_usable(1).await;
    running.shutdown();
    timeout(SOON, running.finished()).await.expect("a stop in time");
    assert!(running.listeners().is_empty());
    assert!(TcpStream::connect(served.address).await.is_err());
}

#[tokio::test]
async fn a_server_that_hands_over_before_it_has_accepted_anything_keeps_its_sockets() {
    for _ in 0..50 {
        let served = Served::plain(|_| {});
        served.running.hand_over();
        timeout(SOON, served.running.finished()).await.expect("a stop in time");
        assert_eq!(served.running.listeners().len(), 2, "for requests, and for redirects");
    }
}

#[tokio::test]
async fn connections_beyond_the_maximum_wait() {
    let served = Served::plain(|config| config.limits.max_connections = 2);
    let first = served.client().await;
    let _second = served.client().await;
    let mut third = Client::new(served.connect().await);
    assert!(timeout(Duration::from_millis(200), third.handshake(&[])).await.is_err(), "it is in the queue");
    drop(third);
    let fourth = tokio::spawn({
        let connect = served.connect().await;
        async move {
            let mut client = Client::new(connect);
            client.handshake(&[]).await;
            client.assert_usable(1).await;
        }
    });
    drop(first);
    timeout(SOON, fourth).await.expect("its turn in time").unwrap();
}

#[tokio::test]
async fn an_idle_listener_takes_no_connection_from_the_others() {
    let (app, _watch) = App::new();
    let mut config = Config::default();
    config.limits.max_connections = 1;
    let binding = Binding::Tcp { host: "127.0.0.1".into(), port: 0 };
    let server = Server::bind(config, &[binding.clone(), binding], 16, None).unwrap();
    let addresses: Vec<_> = server.addresses().cloned().collect();
    let running = server.start(Arc::new(app), Observer::default()).unwrap();
    // One connection after the other, each of them the only one.
    for address in addresses.iter().flat_map(|address| [address, address]) {
        let Address::Tcp(address) = address else { panic!("{address}") };
        let mut client = Client::new(TcpStream::connect(address).await.unwrap());
        timeout(SOON, client.handshake(&[])).await.expect("a slot");
        client.assert_usable(1).await;
    }
    running.shutdown();
    timeout(SOON, running.finished()).await.expect("a stop in time");
}

#[tokio::test]
async fn a_unix_socket_is_served() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("server.sock");
    let (app, _watch) = App::new();
    let server = Server::bind(Config::default(), &[Binding::Unix(path.clone())], 16, None).unwrap();
    let running = server.start(Arc::new(app), Observer::default()).unwrap();
    let mut client = Client::new(UnixStream::connect(&path).await.unwrap());
    client.handshake(&[]).await;
    client.assert_usable(1).await;
    running.shutdown();
    timeout(SOON, running.finished()).await.expect("a stop in time");
}

#[tokio::test]
async fn several_io_threads_serve_alike() {
    let served = Served::plain(|config| config.io_threads = 3);
    let mut clients = Vec::new();
    for _ in 0..10 {
        let mut client = served.client().await;
        clients.push(tokio::spawn(async move {
            for number in 0..20 {
                client.assert_usable(number * 2 + 1).await;
            }
        }));
    }
    for client in clients {
        timeout(SOON, client).await.expect("in time").unwrap();
    }
    served.stop().await;
}

/// Runs the next test in a process that may open few files.
#[test]
fn a_want_of_file_descriptors_passes() {
    let program = std::env::current_exe().unwrap();
    let run = Command::new("sh")
        .args(["-c", r#"ulimit -n 64 && exec "$0" --ignored --exact accept::with_few_file_descriptors"#])
        .arg(program)
        .output()
        .unwrap();
    let output = String::from_utf8_lossy(&run.stdout);
    assert!(run.status.success() && output.contains("1 passed"), "{output}");
}

#[tokio::test]
#[ignore = "needs a low limit of file descriptors, which a_want_of_file_descriptors_passes gives it"]
async fn with_few_file_descriptors() {
    let mut served = Served::plain(|_| {});
    let mut open = vec![served.connect().await];
    // Each takes two: the client's and the server's.
    while let Ok(stream) = TcpStream::connect(served.address).await {
        open.push(stream);
    }
    let event = served.watch.event().await;
    assert!(event.starts_with("accept failed"), "{event}");
    drop(open);
    served.client().await.assert_usable(1).await;
}
