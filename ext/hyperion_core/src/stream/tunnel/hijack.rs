//! A request that the application answers by hand: it has a socket and writes a response as HTTP/1.1 does, which is
//! translated (RFC 9113, section 8).

use std::future::poll_fn;

use http::StatusCode;

use super::Tunnel;
use super::raw_head::{self, Malformed};
use crate::connection::{Connect, H2Reply};
use crate::response::{Head, Payload, Record, Response};

/// Waits for the head that the application writes, and sends the response.
pub(crate) async fn answer_by_hand(mut reply: H2Reply, mut tunnel: Tunnel, record: Box<Record>) {
    let (shared, upgrade) = (reply.shared().clone(), reply.connect().is_some());
    let read = tokio::select! {
        head = final_head(&mut reply, &mut tunnel) => head,
        () = shared.parted(), if upgrade => return,
    };
    let head = match read {
        Ok(Some(head)) => head,
        // The client is gone. Its tunnel is closed with this task.
        Ok(None) => return,
        Err(malformed) => {
            reply.complain(format!("the application took the request over, but {malformed}"));
            return reply.deliver_plain(StatusCode::INTERNAL_SERVER_ERROR, record);
        }
    };
    if reply.connect() == Some(Connect::WebSocket) && head.status().is_success() {
        // It would be a consent to the client (RFC 8441, section 5), which the application has not given.
        return reply.deliver_plain(StatusCode::NOT_IMPLEMENTED, record);
    }
    reply.deliver(Response { head, body: Payload::Tunnel(tunnel) }, record);
}

/// The first head that is not informational; nothing when the client is gone.
async fn final_head(reply: &mut H2Reply, tunnel: &mut Tunnel) -> Result<Option<Head>, Malformed> {
    loop {
        let Some(head) = next_head(reply, tunnel).await? else { return Ok(None) };
        match head.status() {
            StatusCode::SWITCHING_PROTOCOLS if reply.connect().is_some() => return Ok(Some(head)),
            StatusCode::SWITCHING_PROTOCOLS => return Err(Malformed::Upgrade),
            status if status.is_informational() => reply.inform(head),
            _ => return Ok(Some(head)),
        }
    }
}

async fn next_head(reply: &mut H2Reply, tunnel: &mut Tunnel) -> Result<Option<Head>, Malformed> {
    loop {
        if let Some(head) = raw_head::take(tunnel.outbound.buffer())? {
            return Ok(Some(head));
        }
        match tunnel.outbound.read(usize::MAX)? {
            Some(0) if tunnel.outbound.buffer().is_empty() => return Err(Malformed::Nothing),
            Some(0) => return Err(Malformed::Unfinished),
            Some(_) => {}
            None => tokio::select! {
                readable = tunnel.outbound.readable() => readable?,
                () = poll_fn(|cx| reply.poll_gone(cx)) => return Ok(None),
            },
        }
    }
}
