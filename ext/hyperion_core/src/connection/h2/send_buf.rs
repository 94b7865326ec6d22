//! Bytes on their way through `h2`: they carry what must be given back when the kernel has them.

use std::sync::Arc;

use bytes::{Buf, Bytes};

use super::traffic::Traffic;
use crate::body::Charge;
use crate::response::{Outcome, Record};
use crate::stream::Queue;

/// The payload of DATA frames.
#[derive(Debug)]
pub(crate) struct SendBuf {
    bytes: Bytes,
    _charge: Charge,
    owner: Owner,
    traffic: Arc<Traffic>,
}

/// Who has to know what becomes of a buffer.
#[derive(Debug)]
enum Owner {
    /// The buffer is a whole body: the response ends with it.
    Response { record: Box<Record>, generation: usize },
    /// The task that sends the body.
    Task(Arc<Queue>),
}

impl SendBuf {
    /// All of a body, which is not empty.
    pub(crate) fn whole(bytes: Bytes, charge: Charge, record: Box<Record>, traffic: Arc<Traffic>) -> Self {
        let owner = Owner::Response { record, generation: traffic.outflow.enter() };
        SendBuf { bytes, _charge: charge, owner, traffic }
    }

    /// A piece of a body.
    pub(crate) fn part(bytes: Bytes, charge: Charge, queue: Arc<Queue>, traffic: Arc<Traffic>) -> Self {
        queue.add(bytes.len());
        SendBuf { bytes, _charge: charge, owner: Owner::Task(queue), traffic }
    }
}

impl Buf for SendBuf {
    fn remaining(&self) -> usize {
        self.bytes.len()
    }

    fn chunk(&self) -> &[u8] {
        &self.bytes
    }

    fn advance(&mut self, count: usize) {
        self.bytes.advance(count);
        self.traffic.data_sent(count);
        match &mut self.owner {
            Owner::Response { record, generation } => {
                record.sent(count as u64);
                self.traffic.outflow.written(count, Some(*generation));
            }
            Owner::Task(queue) => {
                self.traffic.outflow.written(count, None);
                queue.written(count);
            }
        }
    }
}

impl Drop for SendBuf {
    fn drop(&mut self) {
        // A reset stream's buffers are dropped with bytes left.
        let written = self.bytes.is_empty();
        match &mut self.owner {
            Owner::Response { record, generation } => {
                let outflow = &self.traffic.outflow;
                outflow.leave(*generation);
                if written {
                    record.end(Outcome::Sent);
                } else if outflow.has_given_up() {
                    record.end(Outcome::TimedOut);
                }
            }
            Owner::Task(queue) if !written => queue.lose(),
            Owner::Task(_) => {}
        }
    }
}
