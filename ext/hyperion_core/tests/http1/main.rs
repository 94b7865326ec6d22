//! HTTP/1.1 and HTTP/1.0, byte by byte, over in-memory IO and a paused clock. One file a topic.

#[path = "../support/mod.rs"]
#[allow(dead_code, unused_imports, unreachable_pub, reason = "each test crate uses a part of it")]
mod support;

mod access_log;
mod garbage;
mod heads;
mod messages;
mod responses;
mod stop;
mod takeover;
mod timeouts;
mod tunnels;
mod uploads;
