//! A runtime in threads of its own, for services that somebody else gives their connections.

use std::io;
use std::thread;

use tokio::runtime::Handle;
use tokio::sync::oneshot;

use crate::server::runtime;

/// Runs tasks until it is dropped, which returns at once; what is left of the tasks is dropped then.
#[derive(Debug)]
pub struct Engine {
    handle: Handle,
    /// Dropped with the engine, which is what its thread waits for.
    _running: oneshot::Sender<()>,
}

impl Engine {
    /// Starts the threads. Not to be called before a fork: threads do not survive it.
    pub fn start(io_threads: usize) -> io::Result<Self> {
        let runtime = runtime(io_threads)?;
        let handle = runtime.handle().clone();
        let (running, ended) = oneshot::channel::<()>();
        thread::Builder::new().name("hyperion-io".into()).spawn(move || {
            // Nothing is ever sent: the error is the end of the engine.
            let _ = runtime.block_on(ended);
            runtime.shutdown_background();
        })?;
        Ok(Engine { handle, _running: running })
    }

    /// Where tasks are spawned.
    pub fn handle(&self) -> &Handle {
        &self.handle
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_dropped_engine_drops_its_tasks() {
        let engine = Engine::start(1).unwrap();
        let (alive, gone) = std::sync::mpsc::channel::<()>();
        engine.handle().spawn(async move {
            let _alive = alive;
            std::future::pending::<()>().await;
        });
        drop(engine);
        let end = gone.recv_timeout(Duration::from_secs(60));
        assert_eq!(end, Err(std::sync::mpsc::RecvTimeoutError::Disconnected));
    }
}
