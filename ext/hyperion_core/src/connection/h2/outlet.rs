//! A stream as a response body leaves by it.

use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use h2::{Reason, SendStream};
use http::HeaderMap;

use super::{SendBuf, Shared};
use crate::body::{Charge, ConnectionMemory};
use crate::service::Context as Server;
use crate::stream::{Closed, Outlet, Queue};
use crate::writer::GATHER;

/// Of what is written at once, left to the heads of frames: some five, and more for a body that comes in small pieces.
const HEADS: usize = 1024;

pub(super) struct StreamOutlet {
    stream: SendStream<SendBuf>,
    shared: Arc<Shared>,
    queue: Arc<Queue>,
}

impl StreamOutlet {
    pub(super) fn new(stream: SendStream<SendBuf>, shared: Arc<Shared>) -> Self {
        StreamOutlet { stream, queue: Queue::new(shared.traffic.clone()), shared }
    }
}

impl Outlet for StreamOutlet {
    const TURN: usize = GATHER - HEADS;

    fn server(&self) -> &Server {
        &self.shared.server
    }

    fn memory(&self) -> &Arc<ConnectionMemory> {
        &self.shared.memory
    }

    fn queue(&self) -> &Arc<Queue> {
        &self.queue
    }

    fn stream_id(&self) -> u32 {
        self.stream.stream_id().as_u32()
    }

    fn reserve(&mut self, wanted: usize) {
        self.stream.reserve_capacity(wanted);
    }

    fn poll_capacity(&mut self, cx: &mut Context<'_>) -> Poll<Result<usize, Closed>> {
        loop {
            let ready = self.stream.capacity();
            if ready > 0 {
                return Poll::Ready(Ok(ready));
            }
            match ready!(self.stream.poll_capacity(cx)) {
                Some(Ok(_)) => {}
                Some(Err(_)) | None => return Poll::Ready(Err(Closed)),
            }
        }
    }

    fn send(&mut self, bytes: Bytes, charge: Charge, end: bool) -> Result<(), Closed> {
        let buffer = SendBuf::part(bytes, charge, self.queue.clone(), self.shared.traffic.clone());
        self.stream.send_data(buffer, end).map_err(|_| Closed)
    }

    fn send_trailers(&mut self, trailers: HeaderMap) -> Result<(), Closed> {
        self.stream.send_trailers(trailers).map_err(|_| Closed)
    }

    fn poll_closed(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        // Reset or lost: it is the same to the application.
        self.stream.poll_reset(cx).map(|_| ())
    }

    fn parted(&self) -> impl Future<Output = ()> + Send + use<> {
        let shared = self.shared.clone();
        async move { shared.parted().await }
    }

    fn reset(&mut self, reason: Reason) {
        self.stream.send_reset(reason);
    }
}
