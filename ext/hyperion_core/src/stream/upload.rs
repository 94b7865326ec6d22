//! Takes a request body: collects it before the handler is called, or passes it on as it comes.

use std::sync::Arc;

use bytes::Bytes;
use h2::{Reason, RecvStream};
use http::{HeaderMap, StatusCode};

use crate::body::{BodyError, CollectError, Collected, Collector, Feeder, RequestBody, incoming};
use crate::connection::H2Shared as Shared;
use crate::handler::Exchange;
use crate::limits::Stall;
use crate::report::{Event, Level};
use crate::request::Request;
use crate::response::Responder;

/// A request body on its way in.
struct Upload {
    body: RecvStream,
    /// Bytes that may still come.
    left: u64,
    stall: Stall,
}

/// Why a body was not collected.
enum Refusal {
    Body(BodyError),
    Storage(CollectError),
}

/// Collects the whole body, then calls the handler.
pub(crate) async fn collect(
    request: Request,
    body: RecvStream,
    mut responder: Responder,
    shared: Arc<Shared>,
) {
    if request.expects_continue() {
        responder.send_continue();
    }
    match Upload::new(body, &shared).collect(&shared).await {
        Ok(collected) => {
            let exchange = Exchange { request, body: RequestBody::Collected(collected), responder };
            shared.server.handler.handle(exchange);
        }
        Err(Refusal::Body(BodyError::TooLarge)) => responder.respond_plain(StatusCode::PAYLOAD_TOO_LARGE),
        Err(Refusal::Body(BodyError::TimedOut | BodyError::Disconnected)) => responder.reset(Reason::CANCEL),
        Err(Refusal::Storage(error)) => {
            let (stream_id, reason) = (request.stream_id, error.to_string());
            shared.report(Level::Error, &Event::BodyFailed { stream_id, reason });
            responder.respond_plain(StatusCode::SERVICE_UNAVAILABLE);
        }
    }
}

/// Calls the handler at once, with a body that is read as it arrives.
pub(crate) fn pass_on(request: Request, mut body: RecvStream, mut responder: Responder, shared: Arc<Shared>) {
    let (feeder, incoming) = incoming(body.flow_control().clone());
    // A stream of messages may pause for as long as its two ends like.
    let timed = !request.is_grpc() && request.connect_protocol.is_none();
    let continuation = if request.expects_continue() { responder.share_continue() } else { None };
    let upload = Upload::new(body, &shared);
    tokio::spawn(async move {
        if let Some(continuation) = continuation {
            if std::future::poll_fn(|cx| feeder.poll_wanted(cx)).await {
                continuation.send();
            }
        }
        upload.feed(feeder, timed).await;
    });
    shared.server.handler.handle(Exchange { request, body: RequestBody::Incoming(incoming), responder });
}

impl Upload {
    fn new(body: RecvStream, shared: &Shared) -> Self {
        let config = &shared.server.config;
        Upload { body, left: config.limits.max_body_size, stall: Stall::new(config.timeouts.body) }
    }

    async fn collect(mut self, shared: &Shared) -> Result<Collected, Refusal> {
        let mut collector = Collector::new(shared.server.config.buffers.request, shared.server.spill.clone());
        loop {
            let deadline = self.stall.deadline();
            let next = tokio::time::timeout_at(deadline, self.next()).await;
            let Some(chunk) = next.unwrap_or(Err(BodyError::TimedOut)).map_err(Refusal::Body)? else { break };
            let size = chunk.len();
            // No room on disk stalls the upload like a client that sends nothing.
            let stored = tokio::time::timeout_at(deadline, collector.push(chunk)).await;
            stored.map_err(|_| Refusal::Storage(CollectError::SpillLimit))?.map_err(Refusal::Storage)?;
            self.release(size);
        }
        let trailers = self.trailers().await.map_err(Refusal::Body)?;
        let deadline = self.stall.deadline();
        let finished = tokio::time::timeout_at(deadline, collector.finish(trailers)).await;
        finished.map_err(|_| Refusal::Storage(CollectError::SpillLimit))?.map_err(Refusal::Storage)
    }

    async fn feed(mut self, feeder: Feeder, timed: bool) {
        let end = loop {
            let deadline = self.stall.deadline();
            let next = tokio::select! {
                biased;
                next = tokio::time::timeout_at(deadline, self.next()) => next,
                // Dropping the body lets the client know, once it has the response, that the rest is not wanted.
                () = std::future::poll_fn(|cx| feeder.poll_closed(cx)) => return,
            };
            match next {
                Ok(Ok(Some(chunk))) => feeder.push(chunk),
                Ok(Ok(None)) => break self.trailers().await,
                Ok(Err(error)) => break Err(error),
                // While the application has chunks to read, the pause is its own.
                Err(_) if timed && feeder.is_drained() => break Err(BodyError::TimedOut),
                Err(_) => self.stall.restart(),
            }
        };
        feeder.end(end);
    }

    /// The next chunk; the end of the body is `None`.
    async fn next(&mut self) -> Result<Option<Bytes>, BodyError> {
        match self.body.data().await {
            None => Ok(None),
            Some(Err(_)) => Err(BodyError::Disconnected),
            Some(Ok(chunk)) => {
                self.left = self.left.checked_sub(chunk.len() as u64).ok_or(BodyError::TooLarge)?;
                self.stall.progress(chunk.len());
                Ok(Some(chunk))
            }
        }
    }

    async fn trailers(&mut self) -> Result<Option<HeaderMap>, BodyError> {
        self.body.trailers().await.map_err(|_| BodyError::Disconnected)
    }

    fn release(&mut self, bytes: usize) {
        // A stream that is gone has no window to give back.
        let _ = self.body.flow_control().release_capacity(bytes);
    }
}
