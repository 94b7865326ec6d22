//! Bytes on their way through `h2`: they carry what must be given back when the kernel has them.

use std::sync::Arc;

use bytes::{Buf, Bytes};

use super::traffic::Traffic;
use crate::body::Charge;
use crate::response::{Outcome, Record};

/// The payload of DATA frames.
#[derive(Debug)]
pub(crate) struct SendBuf {
    bytes: Bytes,
    _charge: Charge,
    /// On the last buffer of a response: ends with it.
    record: Option<Box<Record>>,
    traffic: Arc<Traffic>,
}

impl SendBuf {
    pub(crate) fn new(
        bytes: Bytes,
        charge: Charge,
        record: Option<Box<Record>>,
        traffic: Arc<Traffic>,
    ) -> Self {
        SendBuf { bytes, _charge: charge, record, traffic }
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
    }
}

impl Drop for SendBuf {
    fn drop(&mut self) {
        // A reset stream's buffers are dropped with bytes left.
        if let (true, Some(record)) = (self.bytes.is_empty(), &mut self.record) {
            record.end(Outcome::Sent);
        }
    }
}
