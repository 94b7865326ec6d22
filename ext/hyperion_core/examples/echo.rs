//! The core without Ruby: what conformance and load tools run against, and the ceiling that the gem is measured by.
//!
//!     cargo run --release --example echo -- --port 8443 --tls dev
//!
//! `GET /` answers `hello`, `GET /headers` what bench/apps/headers.ru does, `GET /sleep` hello after 5 ms, `GET /bytes/N`
//! N bytes, and any request with a body gets that body back.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use bytes::Bytes;
use http::header::{CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG, HeaderName, SET_COOKIE};
use http::{HeaderValue, StatusCode};
use hyperion_core::body::{Collected, RequestBody};
use hyperion_core::listener::Binding;
use hyperion_core::report::{Event, Level, Reporter};
use hyperion_core::response::Head;
use hyperion_core::tls::Tls;
use hyperion_core::{Address, Config, Exchange, Handler, Observer, Server};

struct Echo {
    filler: Bytes,
    /// Requests for `/headers` so far: each gets other secrets.
    served: AtomicU64,
}

/// The largest answer of `/bytes/N`.
const FILLER: usize = 16 * 1024 * 1024;
const NAP: Duration = Duration::from_millis(5);
const RAILS_LIKE_BODY: &[u8] =
    br#"{"id":7,"title":"A response like that of Rails","tags":["h2","tls","rack"]}"#;
/// The fields of bench/apps/headers.ru that are the same in each response; the content type comes before them.
const RAILS_LIKE_FIELDS: [(&str, &str); 20] = [
    ("x-frame-options", "SAMEORIGIN"),
    ("x-xss-protection", "0"),
    ("x-content-type-options", "nosniff"),
    ("x-permitted-cross-domain-policies", "none"),
    ("referrer-policy", "strict-origin-when-cross-origin"),
    ("x-download-options", "noopen"),
    ("cache-control", "max-age=0, private, must-revalidate"),
    ("pragma", "no-cache"),
    ("expires", "Fri, 01 Jan 1990 00:00:00 GMT"),
    ("vary", "Accept, Origin"),
    ("content-language", "en"),
    ("strict-transport-security", "max-age=31536000; includeSubDomains"),
    ("x-runtime", "0.004217"),
    ("x-powered-by", "Rack"),
    ("last-modified", "Mon, 01 Jan 2024 00:00:00 GMT"),
    ("date", "Mon, 01 Jan 2024 00:00:00 GMT"),
    ("server", "bench"),
    ("access-control-allow-origin", "*"),
    ("cross-origin-opener-policy", "same-origin"),
    ("cross-origin-resource-policy", "same-origin"),
];

impl Handler for Echo {
    fn handle(&self, exchange: Exchange) {
        let Exchange { request, body, responder } = exchange;
        let text = |content| (typed("text/plain"), content);
        let (head, content) = match (body, request.path()) {
            (RequestBody::Collected(body), _) => text(whole(&body)),
            (_, "/headers") => self.rails_like(),
            (_, "/sleep") => {
                tokio::spawn(async move {
                    tokio::time::sleep(NAP).await;
                    responder.respond_full(typed("text/plain"), Bytes::from_static(b"hello"));
                });
                return;
            }
            (_, path) => {
                text(match path.strip_prefix("/bytes/").and_then(|count| count.parse::<usize>().ok()) {
                    Some(count) => self.filler.slice(..count.min(FILLER)),
                    None => Bytes::from_static(b"hello"),
                })
            }
        };
        responder.respond_full(head, content);
    }
}

impl Echo {
    fn rails_like(&self) -> (Head, Bytes) {
        // An odd multiplier: the numbers look like random ones, and none repeats.
        let secret = self.served.fetch_add(1, Relaxed).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let (id, secret) = (format!("{secret:016x}-{secret:016x}"), format!("{secret:016x}{secret:016x}"));
        let mut head = typed("application/json; charset=utf-8");
        for (name, value) in RAILS_LIKE_FIELDS {
            push(&mut head, HeaderName::from_static(name), value);
        }
        let policy = format!("default-src 'self'; script-src 'self' 'nonce-{secret}'");
        push(&mut head, CONTENT_SECURITY_POLICY, &policy);
        push(&mut head, HeaderName::from_static("x-request-id"), &id);
        let cookie = format!("_session={secret}{id}; path=/; secure; httponly; samesite=lax");
        push(&mut head, SET_COOKIE, &cookie);
        push(&mut head, ETAG, &format!("W/\"{secret}\""));
        (head, Bytes::from_static(RAILS_LIKE_BODY))
    }
}

fn typed(content_type: &str) -> Head {
    let mut head = Head::new(StatusCode::OK);
    push(&mut head, CONTENT_TYPE, content_type);
    head
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
    let echo = Echo { filler: Bytes::from(vec![b'x'; FILLER]), served: AtomicU64::default() };
    let running = server.start(Arc::new(echo), Observer::default())?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        tokio::signal::ctrl_c().await?;
        running.shutdown();
        running.finished().await;
        Ok(())
    })
}
