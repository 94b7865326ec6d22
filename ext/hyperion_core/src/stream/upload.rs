//! Takes a request body: collects it before the handler is called, or passes it on as it comes.

use std::sync::Arc;

use bytes::Bytes;
use http::HeaderMap;
use tokio::time::error::Elapsed;
use tokio::time::{timeout, timeout_at};

use crate::body::{BodyError, CollectError, Collected, Collector, Feeder};
use crate::limits::Stall;
use crate::service::Context as Server;

/// Where a body comes from: a stream, or a connection that has no streams.
pub(crate) trait Source: Send {
    /// The next bytes; the end of the body is `None`.
    fn data(&mut self) -> impl Future<Output = Option<Result<Bytes, BodyError>>> + Send;

    /// What followed the end.
    fn trailers(&mut self) -> impl Future<Output = Result<Option<HeaderMap>, Refusal>> + Send;

    /// So many bytes found a place: the peer may send as many again.
    fn release(&mut self, bytes: usize);
}

/// A request body on its way in.
pub(crate) struct Upload<S> {
    pub(crate) body: S,
    server: Arc<Server>,
    /// Bytes that may still come.
    left: u64,
    stall: Stall,
}

/// Why a body was not collected.
pub(crate) enum Refusal {
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

impl<S: Source> Upload<S> {
    pub(crate) fn new(body: S, server: Arc<Server>) -> Self {
        let (left, stall) = (server.config.limits.max_body_size, Stall::new(server.config.timeouts.body));
        Upload { body, server, left, stall }
    }

    /// Until now the client was right to wait.
    pub(crate) fn restart(&mut self) {
        self.stall.restart();
    }

    /// It is no body, but a conversation.
    pub(crate) fn lift_limit(&mut self) {
        self.left = u64::MAX;
    }

    /// The whole body.
    pub(crate) async fn collect(&mut self) -> Result<Collected, Refusal> {
        let server = self.server.clone();
        let patience = server.config.timeouts.body;
        let mut collector = Collector::new(server.config.buffers.request, server.spill.clone());
        let mut collected = 0;
        loop {
            self.stall.collected(collected);
            let next = timeout_at(self.stall.deadline(), self.next()).await;
            let Some(chunk) = next.unwrap_or(Err(BodyError::TimedOut))? else { break };
            let size = chunk.len();
            stored(timeout(patience, collector.push(chunk)).await)?;
            collected += size as u64;
            self.body.release(size);
        }
        let trailers = self.body.trailers().await?;
        stored(timeout(patience, collector.finish(trailers)).await)
    }

    /// Feeds the body to its reader until it ends, or nobody reads any more.
    pub(crate) async fn feed(&mut self, feeder: Feeder, timed: bool) -> Result<(), Refusal> {
        loop {
            let deadline = self.stall.deadline();
            let next = async {
                std::future::poll_fn(|cx| feeder.poll_room(cx)).await;
                self.next().await
            };
            let next = tokio::select! {
                biased;
                next = timeout_at(deadline, next) => next,
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
        feeder.end(Ok(self.body.trailers().await?));
        Ok(())
    }

    /// The next chunk; the end of the body is `None`.
    async fn next(&mut self) -> Result<Option<Bytes>, BodyError> {
        match self.body.data().await {
            None => Ok(None),
            Some(Err(error)) => Err(error),
            Some(Ok(chunk)) => {
                self.left = self.left.checked_sub(chunk.len() as u64).ok_or(BodyError::TooLarge)?;
                self.stall.progress(chunk.len());
                Ok(Some(chunk))
            }
        }
    }
}

/// No room on disk stalls an upload, as a client does that sends nothing.
fn stored<T>(stored: Result<Result<T, CollectError>, Elapsed>) -> Result<T, Refusal> {
    stored.unwrap_or(Err(CollectError::SpillLimit)).map_err(Refusal::Storage)
}
