//! The server on real sockets: what in-memory IO cannot show.

#[path = "../support/mod.rs"]
#[allow(dead_code, unused_imports, unreachable_pub, reason = "each test crate uses a part of it")]
mod support;

mod accept;
mod admin;
mod server;
mod text;
mod tls;
