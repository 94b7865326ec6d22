//! The rest of a request body that nobody wants.

use std::time::Duration;

use h2::RecvStream;
use http::StatusCode;

use crate::response::{Answered, Responder};

/// For a client to notice that its request is answered, while it is still sending.
const NOTICE: Duration = Duration::from_secs(1);

/// Answers a request without its body.
pub(crate) async fn refuse(body: RecvStream, mut responder: Responder, status: StatusCode) {
    let answered = responder.answered();
    responder.respond_plain(status);
    discard(body, answered).await;
}

/// Throws away what still comes, until the client ends it or has had time to notice the response. Dropping the body
/// resets the stream with NO_ERROR (RFC 9113, section 8.1), and some clients forget what they have received when that
/// comes right behind it. No window is given back: the client sends no more than it was allowed to before.
pub(crate) async fn discard(mut body: RecvStream, answered: Answered) {
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
