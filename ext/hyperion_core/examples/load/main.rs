//! The client of `bench/run` for what h2load cannot do: requests at a fixed rate whatever the answers take, new
//! connections, and idle ones.
//!
//!     load rate --url https://127.0.0.1:8443/ --rate 2000 --seconds 5 --connections 8
//!     load connect --url https://127.0.0.1:8443/ --seconds 5 --connections 16
//!     load idle --url https://127.0.0.1:8443/ --connections 10000
//!
//! `--protocol http/1.1` is for servers without HTTP/2. Results are one line of JSON; times are in µs.

// Results go there.
#![allow(clippy::print_stdout)]

mod connect;
mod frames;
mod idle;
mod link;
mod rate;

use std::time::Duration;

use http::Uri;
use link::{Protocol, Target};

/// A failure, in words for the user.
type Error = Box<dyn std::error::Error>;

struct Options {
    mode: String,
    target: Target,
    rate: f64,
    length: Duration,
    connections: usize,
}

impl Options {
    fn parse(mut arguments: impl Iterator<Item = String>) -> Result<Self, Error> {
        let mode = arguments.next().ok_or("which mode: rate, connect or idle?")?;
        let (mut url, mut protocol) = (None, Protocol::Http2);
        let (mut rate, mut length, mut connections) = (1000.0, Duration::from_secs(1), 1);
        while let Some(name) = arguments.next() {
            let value = arguments.next().ok_or_else(|| format!("{name} needs a value"))?;
            match name.as_str() {
                "--url" => url = Some(value.parse::<Uri>()?),
                "--protocol" => protocol = value.parse()?,
                "--rate" => rate = value.parse()?,
                "--seconds" => length = Duration::try_from_secs_f64(value.parse()?)?,
                "--connections" => connections = value.parse()?,
                _ => return Err(format!("unknown argument {name}").into()),
            }
        }
        let target = Target::new(url.ok_or("--url is missing")?, protocol)?;
        if rate <= 0.0 || connections == 0 {
            return Err("--rate and --connections must be more than 0".into());
        }
        Ok(Options { mode, target, rate, length, connections })
    }
}

fn main() -> Result<(), Error> {
    let Options { mode, target, rate, length, connections } = Options::parse(std::env::args().skip(1))?;
    // One thread: the server that is measured needs the other processors.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let tasks = tokio::task::LocalSet::new();
    tasks.block_on(&runtime, async {
        match mode.as_str() {
            "rate" => rate::run(target, connections, rate, length).await,
            "connect" => connect::run(target, connections, length).await,
            "idle" => idle::run(target, connections).await,
            _ => Err(format!("unknown mode {mode}: rate, connect or idle").into()),
        }
    })
}
