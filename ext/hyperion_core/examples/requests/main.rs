//! Serves a number of requests over a connection in memory, without TLS, and ends: what instructions are counted of.
//!
//!     cargo run --release --example requests -- hello 1000
//!
//! A third argument is the file of an access log. `hello` is the least response, `headers` has 25 fields, `post` takes 33 bytes and sends them back.

mod client;

use std::sync::Arc;

use bytes::Bytes;
use client::{Client, Error};
use http::header::{CONTENT_TYPE, HeaderName};
use http::{HeaderValue, StatusCode};
use hyperion_core::access_log::{AccessLog, Format, Target};
use hyperion_core::body::RequestBody;
use hyperion_core::report::{Event, Level, Reporter};
use hyperion_core::response::Head;
use hyperion_core::{Config, Exchange, Handler, Observer};

/// What the requests are for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Shape {
    Hello,
    Headers,
    Post,
}

struct App {
    /// Of the fields that a response has beside its content type.
    names: Vec<HeaderName>,
}

/// Requests that are open at once.
const BATCH: u32 = 50;
const UPLOAD: &[u8] = b"title=Thirty-three+bytes&count=33";
const FIELD_VALUE: &[u8] = b"a value of some thirty bytes ..";

/// A request as a browser makes it, but for its method.
const FIELDS: [(&str, &str); 8] = [
    (":scheme", "https"),
    (":authority", "example.org"),
    (":path", "/notes?page=2"),
    ("user-agent", "Mozilla/5.0 (X11; Linux x86_64) Gecko/20100101"),
    ("accept", "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"),
    ("accept-language", "en-US,en;q=0.5"),
    ("accept-encoding", "gzip, deflate, br"),
    ("cookie", "_session=0123456789abcdef0123456789abcdef"),
];

impl Handler for App {
    fn handle(&self, exchange: Exchange) {
        let mut head = Head::new(StatusCode::OK);
        head.push(CONTENT_TYPE, b"text/plain").expect("no control characters");
        for name in &self.names {
            head.push(name.clone(), FIELD_VALUE).expect("no control characters");
        }
        let content = match exchange.body {
            RequestBody::Collected(body) => body.as_memory().cloned().expect("a short body"),
            _ => Bytes::from_static(b"hello"),
        };
        exchange.responder.respond_full(head, content);
    }
}

impl Reporter for App {
    fn enabled(&self, level: Level) -> bool {
        level >= Level::Warn
    }

    fn report(&self, level: Level, event: &Event<'_>) {
        eprintln!("{level:?}: {event}");
    }
}

impl App {
    fn new(shape: Shape) -> Self {
        let further = if shape == Shape::Headers { 24 } else { 0 };
        let name = |number| HeaderName::try_from(format!("x-header-{number}")).expect("a token");
        App { names: (0..further).map(name).collect() }
    }
}

fn shape(name: &str) -> Result<Shape, Error> {
    match name {
        "hello" => Ok(Shape::Hello),
        "headers" => Ok(Shape::Headers),
        "post" => Ok(Shape::Post),
        _ => Err(format!("unknown shape {name}: hello, headers or post").into()),
    }
}

fn main() -> Result<(), Error> {
    let mut arguments = std::env::args().skip(1);
    let shape = shape(&arguments.next().ok_or("which shape: hello, headers or post?")?)?;
    let count: u32 = arguments.next().ok_or("how many requests?")?.parse()?;
    let log =
        arguments.next().map(|path| AccessLog::open(Format::Json, Target::File(path.into()))).transpose()?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let (method, body) = if shape == Shape::Post { ("POST", UPLOAD) } else { ("GET", &b""[..]) };
    let fields = [&[(":method", method)], &FIELDS[..]].concat();
    let config = Config { server_header: Some(HeaderValue::from_static("requests")), ..Config::default() };
    let app = Arc::new(App::new(shape));
    if let Some(log) = &log {
        log.start(app.clone())?;
    }
    let observer = Observer { access_log: log.clone(), ..Observer::default() };
    runtime.block_on(async {
        let mut client = Client::connect(config, app, observer, &fields, body).await?;
        for begun in (0..count).step_by(BATCH as usize) {
            client.exchange(BATCH.min(count - begun)).await?;
        }
        Ok::<_, Error>(())
    })?;
    log.iter().for_each(AccessLog::finish);
    Ok(())
}
