//! Request bodies of streams: collected, passed on as they come, or refused.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use h2::{Reason, RecvStream};
use http::{HeaderMap, StatusCode};

use super::{Control, Shared};
use crate::body::{BodyError, RequestBody, incoming};
use crate::handler::Exchange;
use crate::report::{Event, Level};
use crate::request::Request;
use crate::response::{Answered, Outcome, Responder};
use crate::stream::{Refusal, Source, Upload};

/// The body of a stream.
struct StreamSource {
    body: RecvStream,
    shared: Arc<Shared>,
    /// The `h2` crate has reset the stream: the body is not as long as was said, say.
    malformed: bool,
}

const MALFORMED_TRAILERS: &str = "the trailers are malformed";

/// For a client to notice that its request is answered, while it is still sending.
const NOTICE: Duration = Duration::from_secs(1);

impl StreamSource {
    fn new(body: RecvStream, shared: Arc<Shared>) -> Self {
        StreamSource { body, shared, malformed: false }
    }

    fn failed(&mut self, error: &h2::Error) -> BodyError {
        self.malformed |= error.is_library() && error.reason() == Some(Reason::PROTOCOL_ERROR);
        BodyError::Disconnected
    }
}

impl Source for StreamSource {
    async fn data(&mut self) -> Option<Result<Bytes, BodyError>> {
        let data = self.body.data().await?;
        Some(data.map_err(|error| self.failed(&error)))
    }

    async fn trailers(&mut self) -> Result<Option<HeaderMap>, Refusal> {
        let trailers = self.body.trailers().await.map_err(|error| self.failed(&error))?;
        match self.shared.traffic.has_bad_trailers(self.body.stream_id().as_u32()) {
            true => Err(Refusal::Malformed),
            false => Ok(trailers),
        }
    }

    fn release(&mut self, bytes: usize) {
        // A stream that is gone has no window to give back.
        let _ = self.body.flow_control().release_capacity(bytes);
    }
}

/// Collects the whole body, then calls the handler.
pub(super) async fn collect(
    request: Arc<Request>,
    body: RecvStream,
    mut responder: Responder,
    shared: Arc<Shared>,
) {
    if request.expects_continue() {
        responder.send_continue();
    }
    let mut upload = Upload::new(StreamSource::new(body, shared.clone()), shared.server.clone());
    match upload.collect().await {
        Ok(collected) => {
            responder.queue();
            let exchange = Exchange { request, body: RequestBody::Collected(collected), responder };
            shared.server.handler.handle(exchange);
        }
        Err(Refusal::Body(BodyError::TooLarge)) => {
            refuse(upload.body.body, responder, StatusCode::PAYLOAD_TOO_LARGE).await;
        }
        Err(Refusal::Body(BodyError::TimedOut)) => responder.reset(Reason::CANCEL, Outcome::TimedOut),
        Err(Refusal::Body(BodyError::Disconnected)) => {
            let outcome = if upload.body.malformed { Outcome::Rejected } else { Outcome::Disconnected };
            responder.reset(Reason::CANCEL, outcome);
        }
        Err(Refusal::Malformed) => {
            shared.reject(request.stream_id, MALFORMED_TRAILERS);
            responder.reset(Reason::PROTOCOL_ERROR, Outcome::Rejected);
        }
        Err(Refusal::Storage(error)) => {
            let (stream_id, reason) = (request.stream_id, error.to_string());
            shared.server.report(Level::Error, &Event::BodyFailed { stream_id, reason });
            refuse(upload.body.body, responder, StatusCode::SERVICE_UNAVAILABLE).await;
        }
    }
}

/// Calls the handler at once, with a body that is read as it arrives.
pub(super) fn pass_on(
    request: Arc<Request>,
    mut body: RecvStream,
    mut responder: Responder,
    shared: Arc<Shared>,
) {
    let patience = shared.server.config.timeouts.body;
    let (feeder, incoming) = incoming(Some(body.flow_control().clone()), patience);
    // A stream of messages may pause for as long as its two ends like, and nobody else is in need of its thread.
    let timed = !request.is_grpc() && request.connect_protocol.is_none();
    let (expects_continue, stream_id) = (request.expects_continue(), request.stream_id);
    let (control, answered) = (responder.share_control(), responder.answered());
    responder.keep_claim(&incoming);
    let mut upload = Upload::new(StreamSource::new(body, shared.clone()), shared.server.clone());
    if request.connect_protocol.is_some() {
        upload.lift_limit();
    }
    tokio::spawn({
        let shared = shared.clone();
        async move {
            if expects_continue && std::future::poll_fn(|cx| feeder.poll_wanted(cx)).await {
                control.iter().for_each(Control::send_continue);
                // Until now the client was right to wait.
                upload.restart();
            }
            let fed = upload.feed(feeder, timed).await;
            if let Err(Refusal::Malformed) = fed {
                shared.reject(stream_id, MALFORMED_TRAILERS);
            }
            if upload.body.malformed || matches!(fed, Err(Refusal::Malformed)) {
                return control.iter().for_each(Control::reject);
            }
            discard(upload.body.body, answered).await;
        }
    });
    shared.server.handler.handle(Exchange { request, body: RequestBody::Incoming(incoming), responder });
}

/// Answers a request without its body.
pub(super) async fn refuse(body: RecvStream, mut responder: Responder, status: StatusCode) {
    let answered = responder.answered();
    responder.respond_plain(status);
    discard(body, answered).await;
}

/// Throws away what still comes, until the client ends it or has had time to notice the response. Dropping the body
/// resets the stream with NO_ERROR (RFC 9113, section 8.1), and some clients forget what they have received when that
/// comes right behind it. No window is given back: the client sends no more than it was allowed to before.
async fn discard(mut body: RecvStream, answered: Answered) {
    let rest = async { while let Some(Ok(_)) = body.data().await {} };
    let patience = async {
        answered.wait().await;
        tokio::time::sleep(NOTICE).await;
    };
    tokio::select! {
        () = rest => {}
        () = patience => {}
    }
}
