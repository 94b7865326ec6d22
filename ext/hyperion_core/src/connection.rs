//! One connection, from its first byte to its last.

mod h2;
mod linger;

pub(crate) use h2::{
    Connect, Control, H2Reply, Part, Queue as H2Queue, SendBuf as H2SendBuf, Shared as H2Shared, rejected,
    serve as serve_h2,
};
