//! Listening sockets that somebody else opened for this process: the one that it replaces, or a supervisor.

use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::path::Path;

use socket2::Socket;
use thiserror::Error;

use super::bind::Bound;
use crate::peer::Address;

/// Sockets that stand in for addresses that would be bound otherwise. Those that fit no address are closed.
#[derive(Debug, Default)]
pub struct Inherited(Vec<Bound>);

/// A descriptor that is no listening stream socket.
#[derive(Debug, Error)]
#[error("it is no listening TCP or unix socket")]
pub struct NotListening;

impl Inherited {
    /// Adds a socket.
    pub fn push(&mut self, socket: OwnedFd) -> Result<(), NotListening> {
        let socket = Socket::from(socket);
        let listens = socket.is_listener().unwrap_or(false);
        let address = socket.local_addr().ok().filter(|_| listens).and_then(|address| {
            let tcp = address.as_socket().map(Address::Tcp);
            tcp.or_else(|| address.as_pathname().map(|path| Address::Unix(Some(path.into()))))
        });
        self.0.push(Bound::new(socket, address.ok_or(NotListening)?));
        Ok(())
    }

    /// The socket for this address; port 0 is content with any port.
    pub(super) fn take_tcp(&mut self, wanted: SocketAddr) -> Option<Bound> {
        self.take(|address| {
            matches!(address, Address::Tcp(address) if address.ip() == wanted.ip()
                && (wanted.port() == 0 || address.port() == wanted.port()))
        })
    }

    /// The socket at this path.
    pub(super) fn take_unix(&mut self, wanted: &Path) -> Option<Bound> {
        self.take(|address| matches!(address, Address::Unix(Some(path)) if path == wanted))
    }

    fn take(&mut self, fits: impl Fn(&Address) -> bool) -> Option<Bound> {
        let index = self.0.iter().position(|bound| fits(bound.address()))?;
        Some(self.0.remove(index))
    }
}

#[cfg(test)]
mod tests {
    use std::net::{TcpListener, TcpStream};
    use std::os::unix::net::UnixListener;

    use super::*;

    fn inherited(socket: impl Into<OwnedFd>) -> Inherited {
        let mut inherited = Inherited::default();
        inherited.push(socket.into()).unwrap();
        inherited
    }

    #[test]
    fn a_socket_stands_in_for_its_address_once() {
        let socket = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = socket.local_addr().unwrap();
        let mut inherited = inherited(socket);
        assert!(inherited.take_tcp("127.0.0.1:1".parse().unwrap()).is_none());
        assert!(inherited.take_tcp(SocketAddr::new("127.0.0.2".parse().unwrap(), 0)).is_none());
        let bound = inherited.take_tcp("127.0.0.1:0".parse().unwrap()).unwrap();
        assert!(matches!(bound.address(), Address::Tcp(own) if *own == address));
        assert!(inherited.take_tcp(address).is_none());
    }

    #[test]
    fn a_unix_socket_is_found_by_its_path() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("s");
        let mut inherited = inherited(UnixListener::bind(&path).unwrap());
        assert!(inherited.take_unix(dir.path()).is_none());
        assert!(inherited.take_unix(&path).is_some());
    }

    #[test]
    fn what_does_not_listen_is_refused() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let connected = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        assert!(Inherited::default().push(connected.into()).is_err());
        assert!(Inherited::default().push(tempfile::tempfile().unwrap().into()).is_err());
    }
}
