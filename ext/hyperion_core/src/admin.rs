//! What scrapers and balancers ask, answered without the application: by a service of its own, which goes on until the
//! other has stopped.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderName, Method, StatusCode};
use tokio::sync::{Semaphore, watch};

use crate::config::{Config, Limits, Timeouts};
use crate::handler::{Exchange, Handler};
use crate::listener::{self, Bound, Door};
use crate::metrics::Metrics;
use crate::observe::Observer;
use crate::report::{Event, Level, Reporter};
use crate::response::Head;
use crate::service::Service;

/// Connections, and requests in flight: for some scrapers, balancers and people.
const LIMIT: usize = 64;
/// Bytes of a body that is not wanted.
const MAX_BODY: u64 = 64 * 1024;
/// For the last answer, at the end.
const STOP_TIMEOUT: Duration = Duration::from_secs(1);

const TEXT: &str = "text/plain; charset=utf-8";

/// Answers `/metrics`, `/healthz` and `/readyz`.
pub(crate) struct Admin {
    metrics: Arc<Metrics>,
    /// Whether the stop has begun.
    stopped: watch::Receiver<bool>,
    reporter: Arc<dyn Handler>,
}

/// The listeners of the admin service, inside the runtime.
pub(crate) struct AdminService(Service);

impl AdminService {
    /// Serves on `bound` what `service` counts, until it is stopped. `None` when there is nowhere to.
    pub(crate) fn start(
        bound: Vec<Bound>,
        service: &Service,
        stopped: watch::Receiver<bool>,
    ) -> Option<Self> {
        if bound.is_empty() {
            return None;
        }
        let context = service.context();
        let config = Config {
            limits: Limits { max_in_flight: LIMIT, max_body_size: MAX_BODY, ..Limits::default() },
            timeouts: Timeouts { shutdown: STOP_TIMEOUT, ..Timeouts::default() },
            server_header: context.config.server_header.clone(),
            ..Config::default()
        };
        let metrics = context.observer.metrics.clone();
        let admin = Admin { metrics, stopped, reporter: context.handler.clone() };
        let admin = Service::new(config, Arc::new(admin), Observer::default());
        let slots = Arc::new(Semaphore::new(LIMIT));
        for bound in bound {
            tokio::spawn(listener::run(bound, Door::Clear, admin.clone(), slots.clone(), Arc::default()));
        }
        Some(AdminService(admin))
    }

    pub(crate) async fn stop(&self) {
        self.0.stop().await;
    }
}

impl Admin {
    fn answer(&self, method: &Method, path: &str) -> (Head, Bytes) {
        let get = method == Method::GET || method == Method::HEAD;
        match path {
            "/metrics" | "/healthz" | "/readyz" if !get => {
                let mut head = head(StatusCode::METHOD_NOT_ALLOWED, TEXT);
                push(&mut head, ALLOW, "GET, HEAD");
                (head, Bytes::from_static(b"only GET\n"))
            }
            "/metrics" => {
                (head(StatusCode::OK, Metrics::CONTENT_TYPE), Bytes::from(self.metrics.to_prometheus()))
            }
            "/healthz" => (head(StatusCode::OK, TEXT), Bytes::from_static(b"ok\n")),
            "/readyz" if *self.stopped.borrow() => {
                (head(StatusCode::SERVICE_UNAVAILABLE, TEXT), Bytes::from_static(b"draining\n"))
            }
            "/readyz" => (head(StatusCode::OK, TEXT), Bytes::from_static(b"ready\n")),
            _ => (
                head(StatusCode::NOT_FOUND, TEXT),
                Bytes::from_static(b"there are /metrics, /healthz and /readyz\n"),
            ),
        }
    }
}

fn head(status: StatusCode, content_type: &str) -> Head {
    let mut head = Head::new(status);
    push(&mut head, CONTENT_TYPE, content_type);
    push(&mut head, CACHE_CONTROL, "no-store");
    head
}

fn push(head: &mut Head, name: HeaderName, value: &str) {
    head.push(name, value.as_bytes()).expect("a constant without control characters");
}

impl Handler for Admin {
    fn handle(&self, exchange: Exchange) {
        let Exchange { request, responder, .. } = exchange;
        let (head, body) = self.answer(&request.method, request.path());
        responder.respond_full(head, body);
    }
}

impl Reporter for Admin {
    fn enabled(&self, level: Level) -> bool {
        self.reporter.enabled(level)
    }

    fn report(&self, level: Level, event: &Event<'_>) {
        self.reporter.report(level, event);
    }
}

impl std::fmt::Debug for Admin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Admin").field("stopped", &self.stopped).finish_non_exhaustive()
    }
}
