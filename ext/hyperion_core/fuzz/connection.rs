//! Bytes of a client, of HTTP/2 from after the preface on or of HTTP/1.1, against a service over in-memory IO. Nothing may
//! panic, hang, or be left behind. The first byte picks how the server is set up and in what pieces the bytes arrive.
#![no_main]

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::StatusCode;
use hyperion_core::body::{BodySender, Incoming, Offer, RequestBody};
use hyperion_core::report::{Event, Level, Reporter};
use hyperion_core::response::Head;
use hyperion_core::{Address, Config, Exchange, Handler, Observer, Peer, Service};
use libfuzzer_sys::fuzz_target;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
const SETTINGS: &[u8] = &[0, 0, 0, 4, 0, 0, 0, 0, 0];
/// Longer than all of the server's timeouts together; the clock is paused.
const PATIENCE: Duration = Duration::from_secs(3600);

/// Sends every body back, streaming it when it streams.
struct Echo;

fuzz_target!(|input: &[u8]| {
    let Some((&setup, bytes)) = input.split_first() else { return };
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().expect("a runtime");
    runtime.block_on(async {
        tokio::time::timeout(PATIENCE, converse(setup, bytes)).await.expect("the end of the connection");
    });
});

async fn converse(setup: u8, bytes: &[u8]) {
    let mut config = Config::default();
    config.buffers.request_buffering = setup & 1 != 0;
    config.buffers.request = 100;
    config.buffers.response = 100;
    config.buffers.response_spill = 1000;
    config.buffers.max_pending = 1000;
    config.http2.max_concurrent_streams = 10;
    let service = Service::new(config, Arc::new(Echo), Observer::default());
    let (client, server) = tokio::io::duplex(4096);
    let peer = Peer { remote: Address::Unix(None), local: Address::Unix(None), tls: None };
    let connection = tokio::spawn(service.serve(server, peer));
    let (mut read, mut write) = tokio::io::split(client);
    let mut reading = tokio::spawn(async move {
        let mut sink = [0; 4096];
        while let Ok(1..) = read.read(&mut sink).await {}
    });
    let size = if setup & 2 != 0 { usize::from(setup >> 2) + 1 } else { 4096 };
    let preface: &[&[u8]] = if setup & 8 != 0 { &[] } else { &[PREFACE, SETTINGS] };
    for piece in preface.iter().copied().chain(bytes.chunks(size)) {
        if write.write_all(piece).await.is_err() {
            break;
        }
        tokio::task::yield_now().await;
    }
    if setup & 4 != 0 {
        // A client that waits for what may come; only calls of gRPC may stay open for longer.
        let _ = tokio::time::timeout(PATIENCE / 2, &mut reading).await;
    }
    reading.abort();
    drop(write);
    connection.await.expect("no panic");
    while service.admission().in_flight() > 0 || service.spilled() > 0 {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

impl Handler for Echo {
    fn handle(&self, exchange: Exchange) {
        let Exchange { body, responder, .. } = exchange;
        let head = Head::new(StatusCode::OK);
        match body {
            RequestBody::Empty => responder.respond_full(head, Bytes::from_static(&[b'x'; 300])),
            RequestBody::Collected(body) => {
                let mut bytes = vec![0; body.len() as usize];
                let count = body.read_at(&mut bytes, 0).expect("the body can be read");
                bytes.truncate(count);
                responder.respond_full(head, bytes.into());
            }
            RequestBody::Incoming(body) => {
                tokio::spawn(echo(body, responder.respond_streaming(head)));
            }
        }
    }
}

async fn echo(body: Incoming, sender: BodySender) {
    while let Ok(Some(mut chunk)) = std::future::poll_fn(|cx| body.poll_read(cx)).await {
        loop {
            match sender.offer_spilling(chunk) {
                Ok(Offer::Taken) => break,
                Ok(Offer::Full(back)) => chunk = back,
                Err(_) => return,
            }
            std::future::poll_fn(|cx| sender.poll_room(cx)).await;
        }
    }
    sender.finish(body.trailers());
}

impl Reporter for Echo {
    fn enabled(&self, _: Level) -> bool {
        true
    }

    fn report(&self, _: Level, event: &Event<'_>) {
        // Made, for what making it may do.
        let _ = event.to_string();
    }
}
