//! The one door to the application.

use std::sync::Arc;

use crate::body::RequestBody;
use crate::report::Reporter;
use crate::request::Request;
use crate::response::Responder;

/// One request and the means to answer it.
#[derive(Debug)]
pub struct Exchange {
    /// The validated head. The responder has it too, so that its memory goes back where it came from.
    pub request: Arc<Request>,
    /// The body: whole, or streaming.
    pub body: RequestBody,
    /// Answers exactly once; answers 500 when dropped unused.
    pub responder: Responder,
}

/// The application behind the server.
pub trait Handler: Reporter + Send + Sync + 'static {
    /// Takes an exchange and returns at once: it is called on the reactor, which serves nobody meanwhile.
    fn handle(&self, exchange: Exchange);

    /// Something was counted in the metrics, for who passes counts on. Called wherever that happens: it must not block.
    fn counted(&self) {}
}
