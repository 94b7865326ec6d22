//! One connection, from its first byte to its last.

mod h1;
mod h2;
mod linger;
mod sniff;

use std::sync::Arc;
use std::time::Instant;

use tokio::io::{AsyncRead, AsyncWrite};

use crate::peer::Peer;
use crate::service::Context as Server;
use crate::shutdown::Permit;
use crate::writer::Blocked;
pub(crate) use h1::{H1Reply, redirect, refuse_clear};
pub use h1::{Hold, Stream, Taken, Taking};
pub(crate) use h2::{Connect, Control, H2Reply};
pub(crate) use sniff::{Guess, Rewind};

/// Serves one connection until it is over, whatever ends it: in the protocol that is settled, or the one that the client
/// speaks. `blocked` is told of by the [`Watched`](crate::writer::Watched) socket below `io`. Each stage is in a box of its own, for as long as it lasts: idle connections are many.
pub(crate) fn serve<T>(
    io: T,
    settled: Option<Guess>,
    blocked: Arc<Blocked>,
    peer: Arc<Peer>,
    server: Arc<Server>,
    permit: Permit,
    accepted: Instant,
) -> impl Future<Output = ()> + use<T>
where
    T: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let guess = Box::pin(guess(Rewind::new(io), settled, server.clone(), permit.clone()));
    async move {
        // In a statement of its own: what a match looks at would be kept, with all its room, for as long as its arms run.
        let Some((io, guess)) = guess.await else { return };
        if guess == Guess::Http2 {
            Box::pin(h2::serve(io, blocked, peer, server, permit, accepted)).await;
        } else {
            let (io, first) = io.into_parts();
            Box::pin(h1::serve(io, first, blocked, peer, server, permit)).await;
        }
    }
}

/// The protocol; nothing for a client that has gone, or is without a word for too long.
async fn guess<T: AsyncRead + Unpin>(
    mut io: Rewind<T>,
    settled: Option<Guess>,
    server: Arc<Server>,
    mut permit: Permit,
) -> Option<(Rewind<T>, Guess)> {
    if let Some(guess) = settled {
        return Some((io, guess));
    }
    let guess = tokio::select! {
        guess = tokio::time::timeout(server.config.timeouts.header, io.guess()) => guess,
        () = permit.greeted() => return None,
    };
    let guess = guess.ok()?.ok()??;
    Some((io, guess))
}
