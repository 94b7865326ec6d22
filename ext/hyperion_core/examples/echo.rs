//! The core without Ruby: what conformance and load tools run against, and the ceiling that the gem is measured by.
//!
//!     cargo run --release --example echo -- --port 8443 --tls dev
//!
//! `GET /` answers `hello`, `GET /headers` 25 header fields, `GET /bytes/N` N bytes, and any request with a body gets
//! that body back.

use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderName};
use http::{HeaderValue, StatusCode};
use hyperion_core::body::{Collected, RequestBody};
use hyperion_core::listener::Binding;
use hyperion_core::report::{Event, Level, Reporter};
use hyperion_core::response::Head;
use hyperion_core::tls::Tls;
use hyperion_core::{Address, Config, Exchange, Handler, Observer, Server};

struct Echo {
    filler: Bytes,
}

/// The largest answer of `/bytes/N`.
const FILLER: usize = 16 * 1024 * 1024;

impl Handler for Echo {
    fn handle(&self, exchange: Exchange) {
        let Exchange { request, body, responder } = exchange;
        let mut head = Head::new(StatusCode::OK);
        push(&mut head, CONTENT_TYPE, "text/plain");
        let content = match body {
            RequestBody::Collected(body) => whole(&body),
            _ => match request.path() {
                "/headers" => {
                    for number in 1..25 {
                        let name = HeaderName::try_from(format!("x-header-{number}")).expect("a token");
                        push(&mut head, name, "a value of some thirty bytes ..");
                    }
                    Bytes::from_static(b"hello")
                }
                path => match path.strip_prefix("/bytes/").and_then(|count| count.parse::<usize>().ok()) {
                    Some(count) => self.filler.slice(..count.min(FILLER)),
                    None => Bytes::from_static(b"hello"),
                },
            },
        };
        responder.respond_full(head, content);
    }
}

fn push(head: &mut Head, name: HeaderName, value: &str) {
    head.push(name, value.as_bytes()).expect("no control characters");
}

fn whole(body: &Collected) -> Bytes {
    if let Some(bytes) = body.as_memory() {
        return bytes.clone();
    }
    let mut bytes = vec![0; body.len() as usize];
    let count = body.read_at(&mut bytes, 0).unwrap_or(0);
    bytes.truncate(count);
    bytes.into()
}

impl Reporter for Echo {
    fn enabled(&self, level: Level) -> bool {
        level >= Level::Warn
    }

    fn report(&self, level: Level, event: &Event<'_>) {
        eprintln!("{level:?}: {event}");
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let (mut port, mut tls) = (0, None);
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        let value = arguments.next().ok_or_else(|| format!("{argument} needs a value"))?;
        match (argument.as_str(), value.as_str()) {
            ("--port", value) => port = value.parse()?,
            ("--tls", "dev") => {
                let dir = std::env::temp_dir().join("hyperion-echo");
                tls = Some(Tls::development(Path::new(&dir))?.0);
            }
            _ => return Err(format!("unknown argument {argument} {value}: --port N, --tls dev").into()),
        }
    }
    let scheme = if tls.is_some() { "https" } else { "http" };
    let config =
        Config { server_header: Some(HeaderValue::from_static("hyperion-echo")), ..Config::default() };
    let server = Server::bind(config, &[Binding::Tcp { host: "127.0.0.1".into(), port }], 1024, tls)?;
    for address in server.addresses() {
        if let Address::Tcp(address) = address {
            eprintln!("listening on {scheme}://{address}");
        }
    }
    let running =
        server.start(Arc::new(Echo { filler: Bytes::from(vec![b'x'; FILLER]) }), Observer::default())?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        tokio::signal::ctrl_c().await?;
        running.shutdown();
        running.finished().await;
        Ok(())
    })
}
