//! One connection, from its first byte to its last.

mod h2;
mod linger;

pub(crate) use h2::{Continuation, H2Reply, SendBuf as H2SendBuf, Shared as H2Shared, serve as serve_h2};
