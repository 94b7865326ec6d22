//! What a request costs, part by part: `cargo bench`, or `cargo bench -- 'response head'`. Connections are in memory and
//! without TLS.

#[path = "../examples/requests/client.rs"]
mod client;

use std::hint::black_box;
use std::sync::Arc;

use bytes::Bytes;
use client::Client;
use criterion::{Criterion, Throughput};
use http::{HeaderName, StatusCode};
use hyperion_core::body::{BodySender, Offer};
use hyperion_core::report::{Event, Level, Reporter};
use hyperion_core::response::{Head, Responder};
use hyperion_core::{Config, Exchange, Handler, Observer};
use tokio::runtime::Runtime;

/// Answers each request in the same way.
struct Answer<F>(F);

/// Requests that are open at once.
const BATCH: u32 = 50;
const VALUE: &[u8] = b"a value of some thirty bytes ..";
const GET: [(&str, &str); 4] =
    [(":method", "GET"), (":scheme", "https"), (":authority", "example.org"), (":path", "/")];
const PIECE: usize = 16 * 1024;
const LARGE: usize = 1024 * 1024;

impl<F: Fn(Responder) + Send + Sync + 'static> Handler for Answer<F> {
    fn handle(&self, exchange: Exchange) {
        (self.0)(exchange.responder);
    }
}

impl<F: Fn(Responder) + Send + Sync> Reporter for Answer<F> {
    fn enabled(&self, level: Level) -> bool {
        level >= Level::Warn
    }

    fn report(&self, level: Level, event: &Event<'_>) {
        eprintln!("{level:?}: {event}");
    }
}

fn runtime() -> Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime")
}

/// A client of a server that answers in this way.
fn client<F>(runtime: &Runtime, fields: &[(&str, &str)], answer: F) -> Client
where
    F: Fn(Responder) + Send + Sync + 'static,
{
    let mut config = Config::default();
    // All of a body stays in memory: what disks do is not ours.
    config.buffers.response = 2 * LARGE;
    let app = Arc::new(Answer(answer));
    let connect = Client::connect(config, app, Observer::default(), fields, b"");
    runtime.block_on(connect).expect("a connection in memory")
}

fn names(count: usize) -> Vec<HeaderName> {
    let name = |number| HeaderName::try_from(format!("x-header-{number}")).expect("a token");
    (0..count).map(name).collect()
}

fn head(names: &[HeaderName]) -> Head {
    let mut head = Head::new(StatusCode::OK);
    for name in names {
        head.push(name.clone(), VALUE).expect("no control characters");
    }
    head
}

/// From frames to a validated head; the response is as short as can be.
fn request_heads(criterion: &mut Criterion) {
    let (runtime, mut group) = (runtime(), criterion.benchmark_group("request head"));
    group.throughput(Throughput::Elements(BATCH.into()));
    for count in [2, 10, 25] {
        let names = names(count);
        let value = std::str::from_utf8(VALUE).expect("ASCII");
        let fields = names.iter().map(|name| (name.as_str(), value));
        let fields: Vec<_> = GET.into_iter().chain(fields).collect();
        let mut client = client(&runtime, &fields, |responder| {
            responder.respond_empty(Head::new(StatusCode::NO_CONTENT));
        });
        group.bench_function(format!("{count} fields"), |bencher| {
            bencher.iter(|| runtime.block_on(client.exchange(BATCH)).expect("responses"));
        });
    }
}

/// From a head to frames.
fn response_heads(criterion: &mut Criterion) {
    let (runtime, mut group) = (runtime(), criterion.benchmark_group("response head"));
    group.throughput(Throughput::Elements(BATCH.into()));
    for count in [2, 10, 25] {
        let names = names(count);
        let mut client = client(&runtime, &GET, move |responder| responder.respond_empty(head(&names)));
        group.bench_function(format!("{count} fields"), |bencher| {
            bencher.iter(|| runtime.block_on(client.exchange(BATCH)).expect("responses"));
        });
    }
    group.throughput(Throughput::Elements(1));
    let names = names(25);
    group.bench_function("25 fields, taken from the application", |bencher| {
        bencher.iter(|| black_box(head(&names)));
    });
}

/// From the application's hands to frames.
fn bodies(criterion: &mut Criterion) {
    let (runtime, mut group) = (runtime(), criterion.benchmark_group("body"));
    let bytes = Bytes::from(vec![b'x'; LARGE]);
    group.throughput(Throughput::Bytes(LARGE as u64));
    let whole = bytes.clone();
    let mut at_once = client(&runtime, &GET, move |responder| {
        responder.respond_full(Head::new(StatusCode::OK), whole.clone());
    });
    group.bench_function("1 MiB at once", |bencher| {
        bencher.iter(|| runtime.block_on(at_once.exchange(1)).expect("a response"));
    });
    let mut by_pieces = client(&runtime, &GET, move |responder| {
        tokio::spawn(push(responder.respond_streaming(Head::new(StatusCode::OK)), bytes.clone()));
    });
    group.bench_function("1 MiB in pieces of 16 KiB", |bencher| {
        bencher.iter(|| runtime.block_on(by_pieces.exchange(1)).expect("a response"));
    });
}

async fn push(sender: BodySender, mut bytes: Bytes) {
    while !bytes.is_empty() {
        let mut piece = bytes.split_to(PIECE);
        while let Offer::Full(back) = sender.offer_spilling(piece).expect("a client that stays") {
            piece = back;
            std::future::poll_fn(|cx| sender.poll_room(cx)).await;
        }
    }
    sender.finish(None);
}

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    for group in [request_heads, response_heads, bodies] {
        group(&mut criterion);
    }
    criterion.final_summary();
}
