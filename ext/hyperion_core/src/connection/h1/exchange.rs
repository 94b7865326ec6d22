//! One request and its response, between the parser and the handler.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;

use bytes::Bytes;
use h2::Reason;
use http::header::CONNECTION;
use http::{HeaderMap, HeaderValue, Method, StatusCode, Version};
use hyper::body::{Body, Incoming as HyperBody};
use hyper::ext::ReasonPhrase;
use thiserror::Error;

use super::Shared;
use super::line::{Answer, H1Reply, Line};
use super::outlet::{OutgoingBody, Piece, chute};
use crate::access_log;
use crate::body::{BodyError, RequestBody, incoming};
use crate::handler::Exchange;
use crate::report::{Event, Level};
use crate::request::{Asked, Protocol, Rejected, Request};
use crate::response::{Answered, Outcome, Payload, Record, Reply, Responder, Response};
use crate::stream::{Download, Refusal, Source, Upload};

type HyperRequest = hyper::Request<HyperBody>;
type HyperResponse = hyper::Response<OutgoingBody>;

/// The connection is closed without a response, or leaves HTTP.
#[derive(Debug, Error)]
#[error("the connection ends without a response")]
pub(super) struct Cut;

/// What the response to a request depends on.
struct Facts {
    is_head: bool,
    is_http_10: bool,
    /// The client will send another request, or would not mind; an HTTP/1.0 client has to say so.
    keeps_alive: bool,
}

/// Serves one request.
pub(super) async fn serve(request: HyperRequest, shared: Arc<Shared>) -> Result<HyperResponse, Cut> {
    let (parts, body) = request.into_parts();
    let facts = Facts::of(&parts);
    shared.line.begin(!body.is_end_stream());
    let protocol = Protocol::of_h1(parts.version);
    let request = match Request::from_h1(parts, shared.peer.clone()) {
        Ok(request) => Arc::new(request),
        Err(Rejected { why, asked }) => {
            shared.reject(&why.to_string());
            let mut response = Response::plain(StatusCode::BAD_REQUEST, &shared.memory);
            response.head.push(CONNECTION, b"close").expect("a constant without control characters");
            return Ok(refuse(response, asked, protocol, &facts, &shared));
        }
    };
    let Some(slot) = shared.server.gate.admission().admit() else {
        shared.server.count_refused();
        shared.server.reject(&shared.peer, 0, "max_in_flight is reached");
        let asked = Asked::Head(request.method.clone(), Some(request.target.clone()));
        return Ok(refuse(Response::busy(&shared.memory), asked, protocol, &facts, &shared));
    };
    let reply = H1Reply::new(shared.line.clone(), &request);
    let record = Record::new(shared.server.clone(), slot, &request);
    let responder = Responder::new(Reply::H1(reply), record, shared.server.budgets(&shared.memory));
    dispatch(request, body, responder, &shared).await;
    match poll_fn(|cx| shared.line.poll_answer(cx)).await {
        Answer::Response(response, record) => Ok(compose(response, record, &facts, &shared)),
        Answer::Reset => Err(Cut),
        Answer::TakeOver(taking) => {
            shared.set_takeover(taking);
            Err(Cut)
        }
    }
}

async fn dispatch(request: Arc<Request>, body: HyperBody, responder: Responder, shared: &Arc<Shared>) {
    if request.method == Method::CONNECT {
        return responder.respond_plain(StatusCode::NOT_IMPLEMENTED);
    }
    if body.is_end_stream() {
        let exchange = Exchange { request, body: RequestBody::Empty, responder };
        return shared.server.handler.handle(exchange);
    }
    let max = shared.server.config.limits.max_body_size;
    if request.content_length.is_some_and(|length| length > max) {
        return responder.respond_plain(StatusCode::PAYLOAD_TOO_LARGE);
    }
    let source = BodySource { body, trailers: None, line: shared.line.clone() };
    let upload = Upload::new(source, shared.server.clone());
    if shared.server.config.buffers.request_buffering && !request.is_grpc() {
        collect(request, upload, responder, shared).await;
    } else {
        pass_on(request, upload, responder, shared);
    }
}

/// Collects the whole body, then calls the handler. The parser asks for a body that the client holds back
/// (RFC 9110, section 10.1.1) when the body is first polled.
async fn collect(
    request: Arc<Request>,
    mut upload: Upload<BodySource>,
    mut responder: Responder,
    shared: &Arc<Shared>,
) {
    match upload.collect().await {
        Ok(collected) => {
            responder.queue();
            let exchange = Exchange { request, body: RequestBody::Collected(collected), responder };
            shared.server.handler.handle(exchange);
        }
        Err(Refusal::Body(BodyError::TooLarge)) => responder.respond_plain(StatusCode::PAYLOAD_TOO_LARGE),
        Err(Refusal::Body(BodyError::TimedOut)) => responder.respond_plain(StatusCode::REQUEST_TIMEOUT),
        Err(Refusal::Body(BodyError::Disconnected) | Refusal::Malformed) => {
            responder.reset(Reason::CANCEL, Outcome::Disconnected);
        }
        Err(Refusal::Storage(error)) => {
            let event = Event::BodyFailed { stream_id: 0, reason: error.to_string() };
            shared.server.report(Level::Error, &event);
            responder.respond_plain(StatusCode::SERVICE_UNAVAILABLE);
        }
    }
}

/// Calls the handler at once, with a body that is read as it arrives.
fn pass_on(
    request: Arc<Request>,
    mut upload: Upload<BodySource>,
    mut responder: Responder,
    shared: &Arc<Shared>,
) {
    let (feeder, incoming) = incoming(None, shared.server.config.timeouts.body);
    let timed = !request.is_grpc();
    let (expects_continue, answered) = (request.expects_continue(), responder.answered());
    responder.keep_claim(&incoming);
    tokio::spawn(async move {
        let feed = async {
            if expects_continue {
                if !poll_fn(|cx| feeder.poll_wanted(cx)).await {
                    return;
                }
                upload.restart();
            }
            // What went wrong, the reader knows.
            let _ = upload.feed(feeder, timed).await;
        };
        // Nobody reads after the response: the rest is not waited for.
        tokio::select! {
            () = feed => {}
            () = Answered::wait(answered) => {}
        }
    });
    shared.server.handler.handle(Exchange { request, body: RequestBody::Incoming(incoming), responder });
}

/// The body of a request, decoded by the parser.
struct BodySource {
    body: HyperBody,
    trailers: Option<HeaderMap>,
    line: Arc<Line>,
}

impl Source for BodySource {
    async fn data(&mut self) -> Option<Result<Bytes, BodyError>> {
        loop {
            let Some(frame) = poll_fn(|cx| Pin::new(&mut self.body).poll_frame(cx)).await else {
                // Before the reader hears of it, who may answer at once.
                self.line.end_upload();
                return None;
            };
            let Ok(frame) = frame else { return Some(Err(BodyError::Disconnected)) };
            match frame.into_data() {
                Ok(bytes) => return Some(Ok(bytes)),
                Err(frame) => self.trailers = frame.into_trailers().ok().or(self.trailers.take()),
            }
        }
    }

    async fn trailers(&mut self) -> Result<Option<HeaderMap>, Refusal> {
        Ok(self.trailers.take())
    }

    fn release(&mut self, _: usize) {}
}

impl Facts {
    fn of(parts: &http::request::Parts) -> Self {
        let is_http_10 = parts.version == Version::HTTP_10;
        let says = |token| has_token(parts.headers.get_all(CONNECTION), token);
        Facts {
            is_head: parts.method == Method::HEAD,
            is_http_10,
            keeps_alive: !says(b"close") && (!is_http_10 || says(b"keep-alive")),
        }
    }
}

/// Whether a list field (RFC 9110, section 5.6.1) has this word.
fn has_token<V: AsRef<[u8]>>(values: impl IntoIterator<Item = V>, token: &[u8]) -> bool {
    let has = |value: &[u8]| {
        value.split(|&byte| byte == b',').any(|word| word.trim_ascii().eq_ignore_ascii_case(token))
    };
    values.into_iter().any(|value| has(value.as_ref()))
}

/// The response as the encoder wants it.
fn compose(
    response: Response,
    mut record: Box<Record>,
    facts: &Facts,
    shared: &Arc<Shared>,
) -> HyperResponse {
    let response = final_response(response, shared);
    let wants_close = has_token(response.head.get_all(&CONNECTION), b"close");
    let prepared = response.prepare(facts.is_head, shared.server.config.server_header.as_ref());
    if let Some(reason) = prepared.complaint {
        shared.server.report(Level::Warn, &Event::ResponseError { stream_id: 0, reason });
    }
    record.begin(prepared.status);
    let mut response = hyper::Response::new(body(prepared.body, prepared.length, record, shared));
    *response.status_mut() = prepared.status;
    if prepared.status.canonical_reason().is_none() {
        // What the encoder would say, `<none>`, looks like a fault.
        response.extensions_mut().insert(ReasonPhrase::from_static(b"Unknown"));
    }
    *response.headers_mut() = prepared.fields;
    // A request whose rest nobody reads could be followed by anything.
    if facts.is_http_10 {
        // Of a response in HTTP/1.1 the encoder says that it keeps the connection, whatever is said here.
        *response.version_mut() = Version::HTTP_10;
    }
    let closes = wants_close || shared.is_draining() || shared.line.is_uploading();
    // In HTTP/1.0 the end of the connection is the end of a body whose length is not known.
    let has_end = !facts.is_http_10 || response.body().size_hint().exact().is_some();
    if closes || !facts.keeps_alive || !has_end {
        response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    } else if facts.is_http_10 {
        response.headers_mut().insert(CONNECTION, HeaderValue::from_static("keep-alive"));
    }
    shared.line.begin_answer();
    response
}

fn body(body: Payload, length: Option<u64>, mut record: Box<Record>, shared: &Arc<Shared>) -> OutgoingBody {
    match body {
        body if body.is_empty() => {
            record.end(Outcome::Sent);
            OutgoingBody::Empty
        }
        Payload::Full(bytes, charge) => {
            OutgoingBody::Whole(Some(Piece::whole(bytes, charge, record, shared.line.clone())))
        }
        body => {
            let (outlet, end) = chute(shared.clone());
            tokio::spawn(Download::new(outlet, record).send(body, length));
            OutgoingBody::Stream(end, length)
        }
    }
}

/// An informational response does not end an exchange; only a takeover can switch protocols.
fn final_response(response: Response, shared: &Shared) -> Response {
    let status = response.head.status();
    if !status.is_informational() {
        return response;
    }
    let reason = format!("{status} is no final response; sent as 500");
    shared.server.report(Level::Warn, &Event::ResponseError { stream_id: 0, reason });
    Response::plain(StatusCode::INTERNAL_SERVER_ERROR, &shared.memory)
}

/// Answers instead of the application. What the client still sends is not read.
fn refuse(
    response: Response,
    asked: Asked,
    protocol: Protocol,
    facts: &Facts,
    shared: &Arc<Shared>,
) -> HyperResponse {
    let line = |since| access_log::Line::refused(asked, protocol, 0, shared.peer.clone(), since);
    let record = Record::of_refused(shared.server.clone(), line);
    compose(response, record, facts, shared)
}
