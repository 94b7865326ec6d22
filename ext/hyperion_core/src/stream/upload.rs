//! Takes a request body: collects it before the handler is called, or passes it on as it comes.

use std::sync::Arc;

use bytes::Bytes;
use h2::{Reason, RecvStream};
use http::{HeaderMap, StatusCode};
use tokio::time::error::Elapsed;
use tokio::time::{timeout, timeout_at};

use crate::body::{BodyError, CollectError, Collected, Collector, Feeder, RequestBody, incoming};
use crate::connection::{Control, H2Shared as Shared, Part, rejected};
use crate::handler::Exchange;
use crate::limits::Stall;
use crate::report::{Event, Level};
use crate::request::Request;
use crate::response::Responder;
use crate::stream::remainder::{discard, refuse};

/// A request body on its way in.
struct Upload {
    body: RecvStream,
    shared: Arc<Shared>,
    /// Bytes that may still come.
    left: u64,
    stall: Stall,
}

/// Why a body was not collected.
enum Refusal {
    Body(BodyError),
    /// Its trailers have a pseudo-header or are no header fields (RFC 9113, section 8.1).
    Malformed,
    Storage(CollectError),
}

impl From<BodyError> for Refusal {
    fn from(error: BodyError) -> Self {
        Refusal::Body(error)
    }
}

const MALFORMED_TRAILERS: &str = "the trailers are malformed";

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
    let mut upload = Upload::new(body, shared.clone());
    match upload.collect().await {
        Ok(collected) => {
            responder.queue();
            let exchange = Exchange { request, body: RequestBody::Collected(collected), responder };
            shared.server.handler.handle(exchange);
        }
        Err(Refusal::Body(BodyError::TooLarge)) => {
            refuse(upload.body, responder, StatusCode::PAYLOAD_TOO_LARGE).await;
        }
        Err(Refusal::Body(BodyError::TimedOut | BodyError::Disconnected)) => responder.reset(Reason::CANCEL),
        Err(Refusal::Malformed) => {
            responder.reset(Reason::PROTOCOL_ERROR);
            rejected(&shared, request.stream_id, MALFORMED_TRAILERS);
        }
        Err(Refusal::Storage(error)) => {
            let (stream_id, reason) = (request.stream_id, error.to_string());
            shared.report(Level::Error, &Event::BodyFailed { stream_id, reason });
            refuse(upload.body, responder, StatusCode::SERVICE_UNAVAILABLE).await;
        }
    }
}

/// Calls the handler at once, with a body that is read as it arrives.
pub(crate) fn pass_on(request: Request, mut body: RecvStream, mut responder: Responder, shared: Arc<Shared>) {
    let (feeder, incoming) = incoming(body.flow_control().clone());
    // A stream of messages may pause for as long as its two ends like.
    let timed = !request.is_grpc() && request.connect_protocol.is_none();
    let (expects_continue, stream_id) = (request.expects_continue(), request.stream_id);
    let (control, answered) = (responder.share_control(), responder.answered());
    responder.keep_claim(&incoming);
    let mut upload = Upload::new(body, shared.clone());
    if request.connect_protocol.is_some() {
        // It is no body, but a conversation.
        upload.left = u64::MAX;
    }
    tokio::spawn({
        let shared = shared.clone();
        async move {
            if expects_continue && std::future::poll_fn(|cx| feeder.poll_wanted(cx)).await {
                control.iter().for_each(Control::send_continue);
                // Until now the client was right to wait.
                upload.stall.restart();
            }
            if let Err(Refusal::Malformed) = upload.feed(feeder, timed).await {
                control.iter().for_each(|control| control.reset(Reason::PROTOCOL_ERROR));
                return rejected(&shared, stream_id, MALFORMED_TRAILERS);
            }
            discard(upload.body, answered).await;
        }
    });
    shared.server.handler.handle(Exchange { request, body: RequestBody::Incoming(incoming), responder });
}

impl Upload {
    fn new(body: RecvStream, shared: Arc<Shared>) -> Self {
        let config = &shared.server.config;
        let (left, stall) = (config.limits.max_body_size, Stall::new(config.timeouts.body));
        Upload { body, shared, left, stall }
    }

    async fn collect(&mut self) -> Result<Collected, Refusal> {
        let server = self.shared.server.clone();
        let patience = server.config.timeouts.body;
        let mut collector = Collector::new(server.config.buffers.request, server.spill.clone());
        loop {
            let next = timeout_at(self.stall.deadline(), self.next()).await;
            let Some(chunk) = next.unwrap_or(Err(BodyError::TimedOut))? else { break };
            let size = chunk.len();
            stored(timeout(patience, collector.push(chunk)).await)?;
            self.release(size);
        }
        let trailers = self.trailers().await?;
        stored(timeout(patience, collector.finish(trailers)).await)
    }

    /// Feeds the body to its reader until it ends, or nobody reads any more.
    async fn feed(&mut self, feeder: Feeder, timed: bool) -> Result<(), Refusal> {
        loop {
            let next = tokio::select! {
                biased;
                next = timeout_at(self.stall.deadline(), self.next()) => next,
                () = std::future::poll_fn(|cx| feeder.poll_closed(cx)) => return Ok(()),
            };
            match next {
                Ok(Ok(Some(chunk))) => feeder.push(chunk),
                Ok(Ok(None)) => break,
                Ok(Err(error)) => {
                    feeder.end(Err(error));
                    return Ok(());
                }
                // While the application has chunks to read, the pause is its own.
                Err(_) => match feeder.drained_since().filter(|_| timed) {
                    Some(since) if !self.stall.restart_at(since) => {
                        feeder.end(Err(BodyError::TimedOut));
                        return Ok(());
                    }
                    Some(_) => {}
                    None => self.stall.restart(),
                },
            }
        }
        // Dropped without an end, the feeder says that the client is gone.
        feeder.end(Ok(self.trailers().await?));
        Ok(())
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

    async fn trailers(&mut self) -> Result<Option<HeaderMap>, Refusal> {
        let trailers = self.body.trailers().await.map_err(|_| BodyError::Disconnected)?;
        match self.shared.traffic.is_malformed(self.body.stream_id().as_u32(), Part::Trailers) {
            true => Err(Refusal::Malformed),
            false => Ok(trailers),
        }
    }

    fn release(&mut self, bytes: usize) {
        // A stream that is gone has no window to give back.
        let _ = self.body.flow_control().release_capacity(bytes);
    }
}

/// No room on disk stalls an upload, as a client does that sends nothing.
fn stored<T>(stored: Result<Result<T, CollectError>, Elapsed>) -> Result<T, Refusal> {
    stored.unwrap_or(Err(CollectError::SpillLimit)).map_err(Refusal::Storage)
}
