//! The server core of hyperion-rs: it accepts connections, terminates TLS and HTTP/2, and hands each request to a
//! [`Handler`] as an [`Exchange`]. It knows nothing of Ruby.
#![forbid(unsafe_code)]

pub mod access_log;
mod admin;
pub mod admission;
pub mod adopted;
pub mod body;
pub mod config;
mod connection;
mod date;
pub mod dispatch;
mod engine;
pub mod handler;
mod limits;
pub mod listener;
pub mod metrics;
pub mod observe;
mod peer;
mod reactor;
pub mod report;
pub mod request;
pub mod response;
pub mod server;
mod service;
mod shutdown;
mod stream;
pub mod timing;
pub mod tls;
mod writer;

pub use config::Config;
pub use engine::Engine;
pub use handler::{Exchange, Handler};
pub use observe::Observer;
pub use peer::{Address, Peer, TlsSession};
pub use report::{Event, Level};
pub use server::Server;
pub use service::Service;
