//! Sends one response on its stream.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use h2::server::SendResponse;
use h2::{Reason, SendStream};
use http::header::{CONTENT_LENGTH, SEC_WEBSOCKET_ACCEPT};
use http::{HeaderMap, HeaderValue, Method, Response as HttpResponse, StatusCode, Version};

use super::outlet::StreamOutlet;
use super::{SendBuf, Shared};
use crate::report::{Event, Level};
use crate::request::Request;
use crate::response::{Head, Outcome, Payload, Record, Response};
use crate::stream::Download;
use crate::stream::tunnel::{Link, answer_by_hand};

/// The answering end of a stream.
#[derive(Debug)]
pub(crate) struct H2Reply {
    send: Send,
    stream_id: u32,
    is_head: bool,
    connect: Option<Connect>,
    shared: Arc<Shared>,
}

/// What an extended CONNECT asks for (RFC 8441, section 4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Connect {
    /// A WebSocket. Applications know it as the upgrade of HTTP/1.1, and accept it by status 101.
    WebSocket,
    /// Something else.
    Other,
}

#[derive(Debug)]
enum Send {
    Own(SendResponse<SendBuf>),
    /// With a [`Control`].
    Shared(Arc<Mutex<Controlled>>),
}

/// Acts on the stream while another holds the reply.
#[derive(Debug)]
pub(crate) struct Control(Arc<Mutex<Controlled>>);

#[derive(Debug)]
struct Controlled {
    send: SendResponse<SendBuf>,
    /// What came of the request is malformed.
    rejected: bool,
}

impl Send {
    fn with<R>(&mut self, f: impl FnOnce(&mut SendResponse<SendBuf>) -> R) -> R {
        match self {
            Send::Own(send) => f(send),
            Send::Shared(shared) => f(&mut lock(shared).send),
        }
    }

    fn was_rejected(&self) -> bool {
        matches!(self, Send::Shared(shared) if lock(shared).rejected)
    }
}

impl Control {
    /// Answers `expect: 100-continue`.
    pub(crate) fn send_continue(&self) {
        // Answered already, or gone: then no body is wanted.
        let response = http_response(StatusCode::CONTINUE, HeaderMap::new());
        let _ = lock(&self.0).send.send_informational(response);
    }

    /// Ends the stream of a malformed request, also in the middle of the response.
    pub(crate) fn reject(&self) {
        let mut controlled = lock(&self.0);
        controlled.rejected = true;
        controlled.send.send_reset(Reason::PROTOCOL_ERROR);
    }
}

fn lock(controlled: &Mutex<Controlled>) -> MutexGuard<'_, Controlled> {
    controlled.lock().unwrap_or_else(PoisonError::into_inner)
}

impl H2Reply {
    pub(super) fn new(send: SendResponse<SendBuf>, request: &Request, shared: Arc<Shared>) -> Self {
        H2Reply {
            stream_id: request.stream_id,
            send: Send::Own(send),
            is_head: request.method == Method::HEAD,
            connect: Connect::of(request),
            shared,
        }
    }

    pub(crate) fn is_head(&self) -> bool {
        self.is_head
    }

    /// Lets a second holder act on the stream.
    pub(crate) fn share(self) -> (Self, Control) {
        let send = match self.send {
            Send::Own(send) => Arc::new(Mutex::new(Controlled { send, rejected: false })),
            Send::Shared(shared) => shared,
        };
        (H2Reply { send: Send::Shared(send.clone()), ..self }, Control(send))
    }

    /// Sends an informational response; a stream that is gone needs none.
    pub(crate) fn inform(&mut self, head: Head) {
        let status = head.status();
        let response = http_response(status, head.into_fields());
        if let Err(error) = self.send.with(|send| send.send_informational(response)) {
            self.complain(format!("{status} was not sent: {error}"));
        }
    }

    /// Whether the stream was reset or the connection is gone.
    pub(crate) fn is_disconnected(&mut self) -> bool {
        // Nobody waits for the reset: the one who answers asks again, or finds out.
        self.shared.traffic.may_be_reset(self.stream_id)
            && self.poll_gone(&mut Context::from_waker(Waker::noop())).is_ready()
    }

    /// Ready when the stream was reset or the connection is gone.
    pub(crate) fn poll_gone(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        self.send.with(|send| send.poll_reset(cx).map(drop))
    }

    /// Somebody else reports that the request goes no further.
    pub(crate) fn leave_report(&self) {
        self.shared.traffic.reported(self.stream_id);
    }

    pub(crate) fn connect(&self) -> Option<Connect> {
        self.connect
    }

    pub(crate) fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }

    /// Whether this head, before what the application writes by hand, is consent to an extended CONNECT.
    fn accepts(&self, head: &Head) -> bool {
        let status = head.status();
        self.connect.is_some() && (status == StatusCode::SWITCHING_PROTOCOLS || status.is_success())
    }

    /// Leaves the stream to the application.
    pub(crate) fn tunnel(self, head: Option<Head>, link: Link, record: Box<Record>) {
        let tunnel = match link.open(self.connect.is_some()) {
            Ok(tunnel) => tunnel,
            Err(error) => {
                self.complain(format!("the application's socket failed: {error}"));
                return self.deliver_plain(StatusCode::INTERNAL_SERVER_ERROR, record);
            }
        };
        let Some(head) = head else {
            tokio::spawn(answer_by_hand(self, tunnel, record));
            return;
        };
        self.deliver(Response { head, body: Payload::Tunnel(tunnel) }, record);
    }

    /// Sends a response of ours.
    pub(crate) fn deliver_plain(self, status: StatusCode, record: Box<Record>) {
        let response = Response::plain(status, &self.shared.memory);
        self.deliver(response, record);
    }

    /// Ends the stream without a response.
    pub(crate) fn reset(mut self, reason: Reason) {
        self.send.with(|send| send.send_reset(reason));
    }

    /// Sends the response. What flow control does not let through at once becomes a task.
    pub(crate) fn deliver(mut self, mut response: Response, mut record: Box<Record>) {
        let mut upgraded = false;
        if let Payload::Tunnel(tunnel) = &mut response.body {
            upgraded = self.accepts(&response.head);
            response.head =
                if upgraded { consent(&response.head) } else { tunnel.outbound.begin(response.head) };
        }
        let prepared = response.prepare(self.is_head, self.shared.server.config.server_header.as_ref());
        if let Some(complaint) = prepared.complaint {
            self.complain(complaint);
        }
        let (body, status) = (prepared.body, prepared.status);
        let end = body.is_empty();
        let response = http_response(status, prepared.fields);
        let Ok(mut stream) = self.send.with(|send| send.send_response(response, end)) else {
            // The stream was reset or the connection is gone; the record says so.
            if self.send.was_rejected() {
                record.end(Outcome::Rejected);
            }
            return;
        };
        self.shared.traffic.answered();
        record.begin(status);
        match body {
            _ if end => record.end(Outcome::Sent),
            Payload::Full(bytes, charge) => {
                stream.reserve_capacity(bytes.len());
                if stream.capacity() < bytes.len() {
                    tokio::spawn(self.download(stream, record).send_full(bytes, charge));
                } else {
                    let buffer = SendBuf::whole(bytes, charge, record, self.shared.traffic.clone());
                    // As above: a stream that is gone drops the buffer, and the record with it.
                    let _ = stream.send_data(buffer, true);
                }
            }
            Payload::Tunnel(tunnel) if upgraded => {
                tokio::spawn(self.download(stream, record).converse(tunnel));
            }
            body => {
                tokio::spawn(self.download(stream, record).send(body, prepared.length));
            }
        }
    }

    fn download(self, stream: SendStream<SendBuf>, record: Box<Record>) -> Download<StreamOutlet> {
        Download::new(StreamOutlet::new(stream, self.shared), record)
    }

    pub(crate) fn complain(&self, reason: String) {
        let event = Event::ResponseError { stream_id: self.stream_id, reason };
        self.shared.server.report(Level::Warn, &event);
    }
}

impl Connect {
    fn of(request: &Request) -> Option<Self> {
        request.connect_protocol.as_ref()?;
        Some(if request.is_connect_for_websocket() { Connect::WebSocket } else { Connect::Other })
    }
}

/// The head by which an extended CONNECT is accepted (RFC 8441, section 5; RFC 9110, section 9.3.6).
fn consent(head: &Head) -> Head {
    let status = match head.status() {
        StatusCode::SWITCHING_PROTOCOLS => StatusCode::OK,
        status => status,
    };
    head.changed(status, |name| *name == SEC_WEBSOCKET_ACCEPT || *name == CONTENT_LENGTH)
}

/// Answers 400, unless the stream is gone.
pub(super) fn answer_bad_request(send: &mut SendResponse<SendBuf>) -> bool {
    let mut fields = HeaderMap::new();
    fields.insert(CONTENT_LENGTH, HeaderValue::from_static("0"));
    send.send_response(http_response(StatusCode::BAD_REQUEST, fields), true).is_ok()
}

fn http_response(status: StatusCode, fields: HeaderMap) -> HttpResponse<()> {
    let mut response = HttpResponse::new(());
    *response.version_mut() = Version::HTTP_2;
    *response.status_mut() = status;
    *response.headers_mut() = fields;
    response
}
