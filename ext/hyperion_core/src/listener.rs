//! Listening sockets: bound before anything runs, accepting until told to stop.

mod bind;
mod socket;

use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, UnixListener};
use tokio::sync::Semaphore;

use crate::peer::Address;
use crate::report::{Event, Level};
use crate::server::Context;
use crate::shutdown::{Permit, Phase};
pub use bind::{BindError, Binding, Bound};
pub(crate) use socket::Socket;

/// A pause after `accept` failed for want of file descriptors or memory, which come back as connections close.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// A listener inside the runtime.
pub(crate) enum Listener {
    Tcp(TcpListener),
    Unix(UnixListener),
}

impl Listener {
    async fn accept(&self) -> io::Result<(Socket, Address)> {
        match self {
            Listener::Tcp(listener) => {
                let (stream, address) = listener.accept().await?;
                // Responses leave in whole flushes: waiting for more would only add latency.
                stream.set_nodelay(true)?;
                Ok((Socket::Tcp(stream), Address::Tcp(address)))
            }
            Listener::Unix(listener) => {
                let (stream, address) = listener.accept().await?;
                Ok((Socket::Unix(stream), Address::Unix(address.as_pathname().map(Into::into))))
            }
        }
    }
}

/// Accepts until the stop begins; each connection gets `serve` in a task of its own.
pub(crate) async fn run<F>(
    bound: Bound,
    context: Arc<Context>,
    slots: Arc<Semaphore>,
    permit: Permit,
    serve: F,
) where
    F: Fn(Socket, Address, Address, Permit) -> tokio::task::JoinHandle<()>,
    F: Clone,
{
    let local = bound.address().clone();
    let listener = match bound.listen() {
        Ok(listener) => listener,
        Err(error) => return failed(&context, &local, &error),
    };
    let mut stop = permit.clone();
    let accept = async {
        loop {
            // The semaphore is never closed.
            let Ok(slot) = slots.clone().acquire_owned().await else { return };
            match listener.accept().await {
                Ok((socket, remote)) => {
                    let task = serve(socket, remote, local.clone(), permit.clone());
                    tokio::spawn(async move {
                        // A task that panicked has been reported by the panic hook; its slot is free all the same.
                        let _ = task.await;
                        drop(slot);
                    });
                }
                Err(error) if is_of_the_peer(&error) => {}
                Err(error) => {
                    failed(&context, &local, &error);
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    };
    tokio::select! {
        () = accept => {}
        () = stop.reached(Phase::Draining) => {}
    }
}

/// A connection that was gone before it was accepted.
fn is_of_the_peer(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionReset, Interrupted, InvalidInput};
    matches!(error.kind(), ConnectionAborted | ConnectionReset | Interrupted | InvalidInput)
}

fn failed(context: &Context, listener: &Address, error: &io::Error) {
    context.handler.report(Level::Error, &Event::AcceptFailed { listener, error });
}
