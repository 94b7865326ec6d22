//! Bodies: requests that are collected or read as they come, responses that are pushed under a byte budget.

mod chunked;
mod collect;
mod file;
mod incoming;
mod outgoing;
mod reads;
mod spill;

pub(crate) use chunked::{ChunkError, ChunkedDecoder, Decoded};
pub use collect::Collected;
pub(crate) use collect::{CollectError, Collector};
pub use file::FileBody;
pub use incoming::{BodyError, Incoming};
pub(crate) use incoming::{Claim, Feeder, incoming};
pub(crate) use outgoing::{BodyFailure, Budgets, Charge, Chunk, ConnectionMemory, Overdraft, outgoing};
pub use outgoing::{BodySender, Offer, PushError, ResponseBody};
pub use reads::Reads;
pub(crate) use spill::SpillBudget;

/// The body of a request.
#[derive(Debug)]
pub enum RequestBody {
    /// The head ended the stream.
    Empty,
    /// All of it is here.
    Collected(Collected),
    /// It is read while it arrives.
    Incoming(Incoming),
}
