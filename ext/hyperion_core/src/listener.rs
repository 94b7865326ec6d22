//! Listening sockets: bound before anything runs, accepting until told to stop.

mod bind;
mod handover;
mod inherited;
mod socket;

use std::io;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, UnixListener};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::peer::{Address, Peer};
use crate::report::{Event, Level};
use crate::service::Service;
use crate::shutdown::{Permit, Phase};
use crate::tls::Tls;
pub use bind::{BindError, Binding, Bound};
pub(crate) use handover::Handover;
pub use inherited::{Inherited, NotListening};
pub(crate) use socket::Socket;

/// The first pause after `accept` failed for want of file descriptors or memory, which come back as connections close.
const MIN_PAUSE: Duration = Duration::from_millis(50);
/// The longest one: each failure in a row doubles it, so that the log is not flooded.
const MAX_PAUSE: Duration = Duration::from_secs(1);

/// What a connection is let in to.
#[derive(Clone, Debug)]
pub(crate) enum Door {
    /// Requests without TLS.
    Clear,
    /// Requests under TLS.
    Tls(Tls),
    /// The https URL, at this port, of what was asked for.
    Redirect(u16),
}

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

    fn into_socket(self) -> io::Result<OwnedFd> {
        Ok(match self {
            Listener::Tcp(listener) => listener.into_std()?.into(),
            Listener::Unix(listener) => listener.into_std()?.into(),
        })
    }
}

/// Accepts until the stop begins, and then leaves the socket to `handover` if it is wanted there. A stop waits for that
/// also when it comes before the first poll.
pub(crate) fn run(
    bound: Bound,
    door: Door,
    service: Service,
    slots: Arc<Semaphore>,
    handover: Arc<Handover>,
) -> impl Future<Output = ()> {
    let stop = service.permit();
    accept(bound, door, service, stop, slots, handover)
}

async fn accept(
    bound: Bound,
    door: Door,
    service: Service,
    mut stop: Permit,
    slots: Arc<Semaphore>,
    handover: Arc<Handover>,
) {
    let local = bound.address().clone();
    let listener = match bound.listen() {
        Ok(listener) => listener,
        Err(error) => return failed(&service, &local, &error),
    };
    let accept = async {
        let mut pause = MIN_PAUSE;
        loop {
            // While there is no slot, clients wait in the queue of the system. None is held while nobody connects: the
            // other listeners need it. The semaphore is never closed.
            let Ok(_) = slots.acquire().await else { return };
            match listener.accept().await {
                Ok((socket, remote)) => {
                    pause = MIN_PAUSE;
                    // Another listener may have been faster: then this one client waits here.
                    let Ok(slot) = slots.clone().acquire_owned().await else { return };
                    serve(socket, remote, local.clone(), &door, &service, slot);
                }
                Err(error) if is_of_the_peer(&error) => {}
                Err(error) => {
                    failed(&service, &local, &error);
                    tokio::time::sleep(pause).await;
                    pause = (pause * 2).min(MAX_PAUSE);
                }
            }
        }
    };
    // Who is not accepted by then waits for whoever gets the socket.
    tokio::select! {
        biased;
        () = stop.reached(Phase::Draining) => {}
        () = accept => {}
    }
    if handover.is_wanted() {
        match listener.into_socket() {
            Ok(socket) => handover.keep(socket),
            Err(error) => failed(&service, &local, &error),
        }
    }
}

/// Serves a connection in a task of its own.
fn serve(
    socket: Socket,
    remote: Address,
    local: Address,
    door: &Door,
    service: &Service,
    slot: OwnedSemaphorePermit,
) {
    let _task = match door {
        Door::Tls(tls) => tokio::spawn(hold(slot, service.serve_tls(socket, tls, remote, local))),
        Door::Clear => tokio::spawn(hold(slot, service.serve(socket, Peer { remote, local, tls: None }))),
        Door::Redirect(port) => {
            let peer = Peer { remote, local, tls: None };
            tokio::spawn(hold(slot, service.redirect(socket, *port, peer)))
        }
    };
}

/// The slot goes with the task, also when that panics.
async fn hold(_slot: OwnedSemaphorePermit, connection: impl Future<Output = ()>) {
    connection.await;
}

/// A connection that was gone before it was accepted.
fn is_of_the_peer(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionReset, Interrupted, InvalidInput};
    matches!(error.kind(), ConnectionAborted | ConnectionReset | Interrupted | InvalidInput)
}

fn failed(service: &Service, listener: &Address, error: &io::Error) {
    service.context().handler.report(Level::Error, &Event::AcceptFailed { listener, error });
}
