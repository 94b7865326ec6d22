//! The protocol, frame by frame, over in-memory IO and a paused clock. One file a topic.

#[path = "../support/mod.rs"]
#[allow(dead_code, unused_imports, unreachable_pub, reason = "each test crate uses a part of it")]
mod support;

mod access_log;
mod admission;
mod blocks;
mod connect;
mod encrypted;
mod expect;
mod floods;
mod flow;
mod handshake;
mod heads;
mod hijack;
mod idle;
mod limits;
mod metrics;
mod model;
mod outcomes;
mod parked;
mod pieces;
mod proxies;
mod reads;
mod responses;
mod stop;
mod timeouts;
mod timing;
mod trailers;
mod tunnels;
mod uploads;
mod writes;
