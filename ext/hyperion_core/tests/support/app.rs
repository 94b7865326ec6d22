//! A service with an application for tests.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use http::StatusCode;
use hyperion_core::access_log::AccessLog;
use hyperion_core::admission::Gate;
use hyperion_core::body::{BodyError, BodySender, Collected, Incoming, Offer, PushError, RequestBody};
use hyperion_core::report::{Event, Level, Reporter};
use hyperion_core::response::{Head, Outcome};
use hyperion_core::{Address, Config, Exchange, Handler, Observer, Peer, Service};
use tokio::io::DuplexStream;
use tokio::net::UnixStream;
use tokio::sync::mpsc;
use tokio::time::timeout;

use super::client::Client;
use super::text::TextClient;

/// Answers by path: `/manual...` is handed to the test, `/bytes/N` answers N bytes at once, `/stream/N` pushes them
/// piece by piece, `/echo` answers with the body, anything else says hello.
pub struct App {
    manual: mpsc::UnboundedSender<Exchange>,
    outcomes: mpsc::UnboundedSender<Outcome>,
    events: mpsc::UnboundedSender<String>,
    log: Mutex<Vec<(Level, String)>>,
}

/// What an application saw.
pub struct Watch {
    manual: mpsc::UnboundedReceiver<Exchange>,
    outcomes: mpsc::UnboundedReceiver<Outcome>,
    events: mpsc::UnboundedReceiver<String>,
}

/// A service and what its application saw.
pub struct Harness {
    pub service: Service,
    app: Arc<App>,
    watch: Watch,
}

/// Bytes that the in-memory connection holds in each direction.
const PIPE: usize = 256 * 1024;
const PATIENCE: Duration = Duration::from_secs(600);

pub fn harness() -> Harness {
    harness_with(|_| {})
}

/// A service with the default configuration, after `change`.
pub fn harness_with(change: impl FnOnce(&mut Config)) -> Harness {
    let mut config = Config::default();
    change(&mut config);
    observed_harness(config, Observer::default())
}

/// A service that is observed; its access log is started.
pub fn observed_harness(config: Config, observer: Observer) -> Harness {
    let (app, watch) = App::new();
    let app = Arc::new(app);
    start(observer.access_log.clone(), &app);
    Harness { service: Service::new(config, app.clone(), observer), app, watch }
}

/// A service that leaves it to the application who is admitted.
pub fn late_harness() -> Harness {
    observed_late_harness(Observer::default())
}

/// As [`late_harness`], observed.
pub fn observed_late_harness(observer: Observer) -> Harness {
    let (app, watch) = App::new();
    let app = Arc::new(app);
    start(observer.access_log.clone(), &app);
    let service = Service::with_gate(Config::default(), app.clone(), observer, Gate::handler());
    Harness { service, app, watch }
}

fn start(log: Option<AccessLog>, app: &Arc<App>) {
    if let Some(log) = log {
        log.start(app.clone()).expect("a thread");
    }
}

impl App {
    pub fn new() -> (Self, Watch) {
        let (manual, exchanges) = mpsc::unbounded_channel();
        let (outcomes, ends) = mpsc::unbounded_channel();
        let (events, reports) = mpsc::unbounded_channel();
        let app = App { manual, outcomes, events, log: Mutex::default() };
        (app, Watch { manual: exchanges, outcomes: ends, events: reports })
    }
}

impl Watch {
    /// The next exchange that the test has to answer.
    pub async fn exchange(&mut self) -> Exchange {
        next(&mut self.manual).await
    }

    /// How the next response to end has ended.
    pub async fn outcome(&mut self) -> Outcome {
        next(&mut self.outcomes).await
    }

    /// The next event that the server reports.
    pub async fn event(&mut self) -> String {
        next(&mut self.events).await
    }
}

async fn next<T>(channel: &mut mpsc::UnboundedReceiver<T>) -> T {
    timeout(PATIENCE, channel.recv()).await.expect("it in time").expect("an application")
}

impl Harness {
    /// A client after its handshake.
    pub async fn client(&self) -> Client {
        self.client_with(&[]).await
    }

    pub async fn client_with(&self, settings: &[(u16, u32)]) -> Client {
        let mut client = self.raw_client();
        client.handshake(settings).await;
        client
    }

    /// A client that has sent nothing yet.
    pub fn raw_client(&self) -> Client {
        self.narrow_client(PIPE)
    }

    /// One whose connection holds so many bytes.
    pub fn narrow_client(&self, pipe: usize) -> Client {
        Client::new(self.connect(pipe))
    }

    /// A client of HTTP/1.1.
    pub fn text_client(&self) -> TextClient {
        TextClient::new(self.connect(PIPE))
    }

    /// The client's end of a connection that holds so many bytes in each direction.
    pub fn connect(&self, pipe: usize) -> DuplexStream {
        let (client, server) = tokio::io::duplex(pipe);
        let peer = Peer { remote: Address::Unix(None), local: Address::Unix(None), tls: None };
        tokio::spawn(self.service.serve(server, peer));
        client
    }

    /// The next exchange that the test has to answer.
    pub async fn exchange(&mut self) -> Exchange {
        self.watch.exchange().await
    }

    /// Whether the application was called for a `/manual` path.
    pub fn was_called(&mut self) -> bool {
        self.watch.manual.try_recv().is_ok()
    }

    /// How the next response to end has ended.
    pub async fn outcome(&mut self) -> Outcome {
        self.watch.outcome().await
    }

    pub fn has_more_outcomes(&mut self) -> bool {
        self.watch.outcomes.try_recv().is_ok()
    }

    /// Waits until no request is in flight and nothing is spilled.
    pub async fn idle(&self) {
        let idle = async {
            while self.service.admission().in_flight() > 0 || self.service.spilled() > 0 {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        };
        timeout(PATIENCE, idle).await.expect("all slots and all spilled bytes are given back");
    }

    pub fn events(&self) -> Vec<String> {
        self.app.log.lock().unwrap().iter().map(|(_, event)| event.clone()).collect()
    }

    /// Events that an operator would see.
    pub fn complaints(&self) -> Vec<String> {
        let events = self.app.log.lock().unwrap();
        events.iter().filter(|(level, _)| *level >= Level::Warn).map(|(_, event)| event.clone()).collect()
    }
}

impl Handler for App {
    fn handle(&self, mut exchange: Exchange) {
        let path = exchange.request.path().to_owned();
        let outcomes = self.outcomes.clone();
        exchange.responder.on_finish(move |outcome| {
            // A test that is over does not care.
            let _ = outcomes.send(outcome);
        });
        if path.starts_with("/manual") {
            let _ = self.manual.send(exchange);
            return;
        }
        let Exchange { body, responder, .. } = exchange;
        let number = |prefix| path.strip_prefix(prefix).and_then(|number: &str| number.parse::<usize>().ok());
        if let Some(count) = number("/bytes/") {
            responder.respond_full(ok(), pattern(count));
        } else if let Some(count) = number("/stream/") {
            let sender = responder.respond_streaming(ok());
            tokio::spawn(async move {
                let bytes = pattern(count);
                for at in (0..count).step_by(16 * 1024) {
                    if push(&sender, bytes.slice(at..count.min(at + 16 * 1024))).await.is_err() {
                        return;
                    }
                }
                sender.finish(None);
            });
        } else if path == "/echo" {
            match body {
                RequestBody::Empty => responder.respond_empty(ok()),
                RequestBody::Collected(body) => responder.respond_full(ok(), whole(&body).into()),
                RequestBody::Incoming(body) => {
                    let sender = responder.respond_streaming(ok());
                    tokio::spawn(async move {
                        while let Ok(Some(chunk)) = read(&body).await {
                            if push(&sender, chunk).await.is_err() {
                                return;
                            }
                        }
                        sender.finish(body.trailers());
                    });
                }
            }
        } else {
            responder.respond_full(ok(), Bytes::from_static(b"hello"));
        }
    }
}

impl Reporter for App {
    fn enabled(&self, _: Level) -> bool {
        true
    }

    fn report(&self, level: Level, event: &Event<'_>) {
        self.log.lock().unwrap().push((level, event.to_string()));
        let _ = self.events.send(event.to_string());
    }
}

pub fn ok() -> Head {
    Head::new(StatusCode::OK)
}

/// Bytes in which a misplaced piece shows.
pub fn pattern(count: usize) -> Bytes {
    (0..count).map(|at| (at % 251) as u8).collect::<Vec<_>>().into()
}

/// Pushes a chunk, waiting for room.
pub async fn push(sender: &BodySender, mut chunk: Bytes) -> Result<(), PushError> {
    loop {
        match sender.offer_spilling(chunk)? {
            Offer::Taken => return Ok(()),
            Offer::Full(back) => chunk = back,
        }
        std::future::poll_fn(|cx| sender.poll_room(cx)).await;
    }
}

pub async fn read(body: &Incoming) -> Result<Option<Bytes>, BodyError> {
    std::future::poll_fn(|cx| body.poll_read(cx)).await
}

/// A socket to be handed over, and the application's end of it.
pub fn sockets() -> (std::os::unix::net::UnixStream, UnixStream) {
    let (ours, theirs) = std::os::unix::net::UnixStream::pair().unwrap();
    theirs.set_nonblocking(true).unwrap();
    (ours, UnixStream::from_std(theirs).unwrap())
}

pub fn whole(body: &Collected) -> Vec<u8> {
    let mut bytes = vec![0; body.len() as usize];
    let mut at = 0;
    while at < bytes.len() {
        match body.read_at(&mut bytes[at..], at as u64).unwrap() {
            0 => break,
            count => at += count,
        }
    }
    bytes
}
