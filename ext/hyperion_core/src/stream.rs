//! The work of one request: its body on the way in, its response on the way out.

mod download;
mod queue;
pub(crate) mod tunnel;
mod upload;

pub(crate) use download::{Closed, Download, Outlet};
pub(crate) use queue::{Pulse, Queue};
pub(crate) use upload::{Refusal, Source, Upload};
