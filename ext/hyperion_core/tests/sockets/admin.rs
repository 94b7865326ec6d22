//! The addresses for scrapers and balancers.

use std::net::SocketAddr;
use std::sync::Arc;

use hyperion_core::listener::Binding;
use hyperion_core::server::Running;
use hyperion_core::{Address, Config, Observer, Server};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::server::SOON;
use crate::support::app::{App, Watch, ok};
use crate::support::client::Response;
use crate::support::{Client, get};

struct Administered {
    running: Running,
    address: SocketAddr,
    admin: SocketAddr,
    watch: Watch,
}

fn local() -> Binding {
    Binding::Tcp { host: "127.0.0.1".into(), port: 0 }
}

fn tcp(address: Option<&Address>) -> SocketAddr {
    let Some(Address::Tcp(address)) = address else { panic!("{address:?}") };
    *address
}

fn start() -> Administered {
    let mut server = Server::bind(Config::default(), &[local()], 16, None).unwrap();
    server.bind_admin(&[local()]).unwrap();
    let (address, admin) = (tcp(server.addresses().next()), tcp(server.admin_addresses().next()));
    let (app, watch) = App::new();
    let running = server.start(Arc::new(app), Observer::default()).unwrap();
    Administered { running, address, admin, watch }
}

async fn connect(address: SocketAddr) -> Client {
    let stream = timeout(SOON, TcpStream::connect(address)).await.expect("in time").unwrap();
    let mut client = Client::new(stream);
    client.handshake(&[]).await;
    client
}

async fn ask(address: SocketAddr, method: &str, path: &str) -> Response {
    let mut client = connect(address).await;
    let mut head = get(path);
    head[0].1 = method;
    client.request(1, &head).await;
    timeout(SOON, client.response(1)).await.expect("in time")
}

fn text(response: &Response) -> &str {
    std::str::from_utf8(&response.body).unwrap()
}

#[tokio::test]
async fn what_the_server_counts_can_be_scraped() {
    let server = start();
    assert_eq!(ask(server.address, "GET", "/").await.status, 200);
    let response = ask(server.admin, "GET", "/metrics").await;
    assert_eq!(response.status, 200);
    assert_eq!(response.field("content-type"), Some("text/plain; version=0.0.4; charset=utf-8"));
    for line in ["hyperion_requests_total 1", "hyperion_responses_status_total{status=\"200\"} 1"] {
        assert!(text(&response).lines().any(|other| other == line), "{line} in {}", text(&response));
    }
    // Nor does the scraper count.
    assert!(
        text(&ask(server.admin, "GET", "/metrics").await).contains("\nhyperion_connections_accepted 1\n")
    );
}

#[tokio::test]
async fn nothing_else_is_there() {
    let server = start();
    assert_eq!(ask(server.admin, "GET", "/").await.status, 404);
    assert_eq!(ask(server.admin, "GET", "/metrics/").await.status, 404);
    for path in ["/metrics", "/healthz", "/readyz"] {
        let response = ask(server.admin, "POST", path).await;
        assert_eq!((response.status, response.field("allow")), (405, Some("GET, HEAD")));
        let response = ask(server.admin, "HEAD", path).await;
        assert_eq!((response.status, response.body.len()), (200, 0));
    }
}

#[tokio::test]
async fn a_draining_server_is_alive_and_not_ready() {
    let mut server = start();
    let mut client = connect(server.address).await;
    client.request(1, &get("/manual")).await;
    let exchange = server.watch.exchange().await;
    assert_eq!(ask(server.admin, "GET", "/readyz").await.status, 200);
    server.running.shutdown();
    let response = ask(server.admin, "GET", "/readyz").await;
    assert_eq!((response.status, text(&response)), (503, "draining\n"));
    assert_eq!(ask(server.admin, "GET", "/healthz").await.status, 200);
    exchange.responder.respond_empty(ok());
    timeout(SOON, server.running.finished()).await.expect("a stop in time");
    assert!(TcpStream::connect(server.admin).await.is_err());
}
