//! The Ruby bridge of hyperion-rs: the only crate that knows Ruby, and the only one with `unsafe`.
//!
//! Ruby values live on the stack of a thread that holds the GVL, or are marked by an object that does; everything that
//! crosses to the reactor is plain Rust data.

#![allow(missing_docs, reason = "Ruby is the only caller; `magnus::init` makes a function that takes no doc")]

mod admission;
#[cfg(target_env = "gnu")]
mod allocator;
mod body;
mod cache;
mod connection;
mod env;
mod errands;
mod errors;
mod finish;
mod fork;
mod gvl;
mod handle;
mod handler;
mod hijack;
mod input;
mod jump;
mod keys;
mod log;
mod metrics;
mod mirror;
mod pool;
mod respond;
mod roots;
mod server;
mod settings;
mod signals;
mod site;
mod stall;
mod supervisor;
mod visit;
mod worker;
mod writer;

use magnus::prelude::*;
use magnus::{Error, Ruby};

#[cfg(target_env = "gnu")]
#[global_allocator]
static ALLOCATOR: allocator::Allocator = allocator::Allocator;

#[magnus::init(name = "hyperion_rs")]
fn init(ruby: &Ruby) -> Result<(), Error> {
    let native = ruby.define_module("HyperionRs")?.define_module("Native")?;
    fork::watch();
    keys::init(ruby);
    env::init(ruby);
    handle::define(ruby, native)?;
    hijack::define(ruby, native)?;
    roots::define(ruby, native)?;
    site::define(ruby, native)?;
    input::define(ruby, native)?;
    writer::define(ruby, native)?;
    metrics::define(ruby, native)?;
    admission::define(ruby, native)?;
    connection::define(ruby, native)?;
    handler::define(ruby, native)?;
    server::define(ruby, native)
}
