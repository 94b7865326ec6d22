//! New connections: each is made, asked for one response, and closed; so many at once.

use std::cell::Cell;
use std::rc::Rc;
use std::time::{Duration, Instant};

use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::Error;
use crate::link::Target;

/// For a connection and its response.
const PATIENCE: Duration = Duration::from_secs(10);

pub(crate) async fn run(target: Target, at_once: usize, length: Duration) -> Result<(), Error> {
    let (target, begin) = (Rc::new(target), Instant::now());
    let (done, failed) = (Rc::new(Cell::new(0_u64)), Rc::new(Cell::new(0_u64)));
    let mut tasks = JoinSet::new();
    for _ in 0..at_once {
        let (target, done, failed) = (target.clone(), done.clone(), failed.clone());
        tasks.spawn_local(async move {
            while begin.elapsed() < length {
                let counter = if one(&target).await { &done } else { &failed };
                counter.set(counter.get() + 1);
            }
        });
    }
    while let Some(task) = tasks.join_next().await {
        task?;
    }
    let rate = done.get() as f64 / begin.elapsed().as_secs_f64();
    println!(r#"{{"done":{},"failed":{},"rate":{rate:.1}}}"#, done.get(), failed.get());
    Ok(())
}

async fn one(target: &Target) -> bool {
    let fetch = async {
        let mut link = target.connect().await?;
        target.fetch(&mut link).await
    };
    matches!(timeout(PATIENCE, fetch).await, Ok(Ok(())))
}
