//! What protocol tests are written with: a service over in-memory IO, a client that writes raw frames, and an
//! application that does as it is told.

pub mod app;
pub mod client;
pub mod frame;
pub mod logged;
pub mod text;
pub mod tls;

pub use app::{Harness, harness, harness_with};
pub use client::{Client, get, post};
pub use frame::{Frame, Kind, reason};
pub use logged::{LogFile, Logged, logged};
pub use text::{Answer, TextClient};
