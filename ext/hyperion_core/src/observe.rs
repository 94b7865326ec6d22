//! What a service tells about its work, and to whom; shared with as many services as one likes.

use std::sync::Arc;

use crate::access_log::{AccessLog, End, Line};
use crate::metrics::Metrics;

/// Who hears of the requests of a service.
#[derive(Clone, Debug, Default)]
pub struct Observer {
    /// Counts them.
    pub metrics: Arc<Metrics>,
    /// Writes a line for each of them.
    pub access_log: Option<AccessLog>,
}

impl Observer {
    /// Counts an answer that no exchange has a part in, and writes its line.
    pub(crate) fn turn_away(&self, end: End, line: impl FnOnce() -> Line) {
        if let Some(status) = end.status {
            self.metrics.count_status(status);
        }
        if let Some(log) = &self.access_log {
            let mut line = line();
            line.end(end);
            log.push(line);
        }
    }
}
