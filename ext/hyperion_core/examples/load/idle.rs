//! Connections that do nothing: they are made, each is asked for one response, and they are held until standard input
//! ends.

use std::io::Read;
use std::rc::Rc;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::Error;
use crate::link::{Link, Target};

/// Handshakes at once.
const AT_ONCE: usize = 32;
/// For a response.
const PATIENCE: Duration = Duration::from_secs(10);

pub(crate) async fn run(target: Target, connections: usize) -> Result<(), Error> {
    let target = Rc::new(target);
    let mut links = Vec::with_capacity(connections);
    let mut tasks = JoinSet::new();
    for _ in 0..connections {
        if tasks.len() == AT_ONCE {
            links.extend(tasks.join_next().await.transpose()?.flatten());
        }
        let target = target.clone();
        tasks.spawn_local(async move { established(&target).await.ok() });
    }
    while let Some(link) = tasks.join_next().await {
        links.extend(link?);
    }
    println!(r#"{{"held":{}}}"#, links.len());
    // The connections answer PINGs meanwhile.
    tokio::task::spawn_blocking(|| std::io::stdin().read_to_end(&mut Vec::new())).await??;
    let mut alive = 0;
    for link in &mut links {
        alive += usize::from(matches!(timeout(PATIENCE, target.fetch(link)).await, Ok(Ok(()))));
    }
    println!(r#"{{"alive":{alive}}}"#);
    Ok(())
}

async fn established(target: &Target) -> Result<Link, Error> {
    let mut link = target.connect().await?;
    target.fetch(&mut link).await?;
    Ok(link)
}
