//! Serves a number of requests over a connection in memory, without TLS, and ends: what instructions are counted of.
//!
//!     cargo run --release --example requests -- hello 1000
//!
//! `hello` is the least response, `headers` has 25 fields, `post` takes 33 bytes and sends them back.

use std::sync::Arc;

use bytes::Bytes;
use httlib_hpack::Encoder;
use http::header::{CONTENT_TYPE, HeaderName};
use http::{HeaderValue, StatusCode};
use hyperion_core::body::RequestBody;
use hyperion_core::report::{Event, Level, Reporter};
use hyperion_core::response::Head;
use hyperion_core::{Address, Config, Exchange, Handler, Observer, Peer, Service};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};

/// A failure, in words for the user.
type Error = Box<dyn std::error::Error>;

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

/// A client that knows its requests by heart.
struct Client {
    io: DuplexStream,
    /// The header block of each request but the first: all of it is in the dynamic table by then.
    block: Vec<u8>,
    body: &'static [u8],
    next_stream: u32,
    /// What was read and not understood yet.
    unread: Vec<u8>,
}

/// Requests that are open at once.
const BATCH: u32 = 50;
const PIPE: usize = 256 * 1024;
const UPLOAD: &[u8] = b"title=Thirty-three+bytes&count=33";
const FIELD_VALUE: &[u8] = b"a value of some thirty bytes ..";

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
const FRAME_HEADER: usize = 9;
const DATA: u8 = 0;
const HEADERS: u8 = 1;
const SETTINGS: u8 = 4;
const WINDOW_UPDATE: u8 = 8;
const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;
/// How a field goes into the dynamic table (RFC 7541, section 6.2.1).
const INDEXED: u8 = Encoder::WITH_INDEXING | Encoder::BEST_FORMAT;

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

impl Client {
    /// Makes the first request, and gives the server windows without an end.
    async fn connect(io: DuplexStream, shape: Shape) -> Result<Self, Error> {
        let mut encoder = Encoder::default();
        let (first, block) = (head(&mut encoder, shape)?, head(&mut encoder, shape)?);
        let body = if shape == Shape::Post { UPLOAD } else { b"" };
        let mut client = Client { io, block: first, body, next_stream: 1, unread: Vec::new() };
        let mut hello = PREFACE.to_vec();
        frame(&mut hello, SETTINGS, 0, 0, &[]);
        frame(&mut hello, WINDOW_UPDATE, 0, 0, &(1_u32 << 30).to_be_bytes());
        client.io.write_all(&hello).await?;
        client.exchange(1).await?;
        client.block = block;
        Ok(client)
    }

    /// Sends so many requests at once, and waits for all responses.
    async fn exchange(&mut self, count: u32) -> Result<(), Error> {
        let mut bytes = Vec::new();
        for _ in 0..count {
            let last = if self.body.is_empty() { END_STREAM } else { 0 };
            frame(&mut bytes, HEADERS, END_HEADERS | last, self.next_stream, &self.block);
            if !self.body.is_empty() {
                frame(&mut bytes, DATA, END_STREAM, self.next_stream, self.body);
            }
            self.next_stream += 2;
        }
        self.io.write_all(&bytes).await?;
        let mut open = count;
        while open > 0 {
            if self.io.read_buf(&mut self.unread).await? == 0 {
                return Err("the server has closed the connection".into());
            }
            open -= self.count_ends();
        }
        Ok(())
    }

    /// Responses that have ended in what was read.
    fn count_ends(&mut self) -> u32 {
        let (mut at, mut ends) = (0, 0);
        while let Some(header) = self.unread.get(at..at + FRAME_HEADER) {
            let length = u32::from_be_bytes([0, header[0], header[1], header[2]]) as usize;
            if self.unread.len() < at + FRAME_HEADER + length {
                break;
            }
            ends += u32::from(header[3] <= HEADERS && header[4] & END_STREAM != 0);
            at += FRAME_HEADER + length;
        }
        self.unread.drain(..at);
        ends
    }
}

fn frame(bytes: &mut Vec<u8>, kind: u8, flags: u8, stream: u32, payload: &[u8]) {
    bytes.extend_from_slice(&(payload.len() as u32).to_be_bytes()[1..]);
    bytes.extend_from_slice(&[kind, flags]);
    bytes.extend_from_slice(&stream.to_be_bytes());
    bytes.extend_from_slice(payload);
}

/// A request as a browser makes it.
fn head(encoder: &mut Encoder<'_>, shape: Shape) -> Result<Vec<u8>, Error> {
    let method = if shape == Shape::Post { "POST" } else { "GET" };
    let fields = [
        (":method", method),
        (":scheme", "https"),
        (":authority", "example.org"),
        (":path", "/notes?page=2"),
        ("user-agent", "Mozilla/5.0 (X11; Linux x86_64) Gecko/20100101"),
        ("accept", "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"),
        ("accept-language", "en-US,en;q=0.5"),
        ("accept-encoding", "gzip, deflate, br"),
        ("cookie", "_session=0123456789abcdef0123456789abcdef"),
    ];
    let mut block = Vec::new();
    for (name, value) in fields {
        encoder
            .encode((name.as_bytes().to_vec(), value.as_bytes().to_vec(), INDEXED), &mut block)
            .map_err(|error| format!("{error:?}"))?;
    }
    Ok(block)
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
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let config =
            Config { server_header: Some(HeaderValue::from_static("requests")), ..Config::default() };
        let service = Service::new(config, Arc::new(App::new(shape)), Observer::default());
        let (client, server) = tokio::io::duplex(PIPE);
        let peer = Peer { remote: Address::Unix(None), local: Address::Unix(None), tls: None };
        tokio::spawn(service.serve(server, peer));
        let mut client = Client::connect(client, shape).await?;
        for begun in (0..count).step_by(BATCH as usize) {
            client.exchange(BATCH.min(count - begun)).await?;
        }
        Ok(())
    })
}
