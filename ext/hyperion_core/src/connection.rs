//! One connection, from its first byte to its last.

mod h2;
mod linger;

pub(crate) use h2::{Connect, Control, H2Reply, serve as serve_h2};
