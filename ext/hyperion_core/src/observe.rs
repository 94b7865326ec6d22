//! What a service tells about its work, and to whom; shared with as many services as one likes.

use std::sync::Arc;

use crate::metrics::Metrics;

/// Who hears of the requests of a service.
#[derive(Clone, Debug, Default)]
pub struct Observer {
    /// Counts them.
    pub metrics: Arc<Metrics>,
}
