//! What a service tells about its work, and to whom; shared with as many services as one likes.

use std::sync::Arc;

use crate::access_log::AccessLog;
use crate::metrics::Metrics;

/// Who hears of the requests of a service.
#[derive(Clone, Debug, Default)]
pub struct Observer {
    /// Counts them.
    pub metrics: Arc<Metrics>,
    /// Writes a line for each of them.
    pub access_log: Option<AccessLog>,
}
