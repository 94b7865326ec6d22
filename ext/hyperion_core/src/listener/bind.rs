//! Binds listening sockets, before the runtime exists, so that errors reach the caller.

use std::fs;
use std::io;
use std::net::{SocketAddr, TcpListener, ToSocketAddrs};
use std::os::unix::fs::FileTypeExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::time::Duration;

use socket2::{Domain, Protocol, SockAddr, Socket, TcpKeepalive, Type};
use thiserror::Error;

use super::{Inherited, Listener};
use crate::peer::Address;

/// Silence after which the system asks whether the client's machine is still there.
const KEEPALIVE_TIME: Duration = Duration::from_secs(60);
/// Between two such questions, of which the system would ask every 75 seconds.
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(10);
/// Questions without an answer after which the client is gone: within two minutes of its last sign of life.
const KEEPALIVE_RETRIES: u32 = 5;

/// Where to listen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Binding {
    /// A host name or address, and a port; port 0 picks a free one. A name is bound at each of its addresses.
    Tcp {
        /// As in `localhost`, `127.0.0.1`, `::1`.
        host: String,
        /// The port.
        port: u16,
    },
    /// A unix socket at this path.
    Unix(PathBuf),
}

/// A socket that is bound and listening; connections queue from now on.
#[derive(Debug)]
pub struct Bound {
    socket: Socket,
    address: Address,
}

/// Why an address could not be bound.
#[derive(Debug, Error)]
#[error("cannot listen on {binding}: {error}")]
pub struct BindError {
    binding: String,
    error: io::Error,
}

impl Binding {
    /// Binds and listens, with a queue of `backlog` connections; or takes the sockets of `inherited` that are bound
    /// there already.
    pub fn bind(&self, backlog: u32, inherited: &mut Inherited) -> Result<Vec<Bound>, BindError> {
        let bound = match self {
            Binding::Tcp { host, port } => bind_tcp(host, *port, backlog, inherited),
            Binding::Unix(path) => match inherited.take_unix(path) {
                Some(bound) => Ok(vec![bound]),
                None => bind_unix(path, backlog).map(|bound| vec![bound]),
            },
        };
        bound.map_err(|error| BindError { binding: self.to_string(), error })
    }
}

impl std::str::FromStr for Binding {
    type Err = &'static str;

    /// Takes `tcp://host:port`, an IPv6 address in brackets, or `unix:///path`.
    fn from_str(uri: &str) -> Result<Self, Self::Err> {
        const EXPECTED: &str = "expected tcp://host:port or unix:///path";
        if let Some(path) = uri.strip_prefix("unix://") {
            return if path.starts_with('/') { Ok(Binding::Unix(path.into())) } else { Err(EXPECTED) };
        }
        let (host, port) =
            uri.strip_prefix("tcp://").and_then(|rest| rest.rsplit_once(':')).ok_or(EXPECTED)?;
        let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
        let port = port.parse().map_err(|_| "expected a port from 0 to 65535")?;
        if host.is_empty() { Err(EXPECTED) } else { Ok(Binding::Tcp { host: host.into(), port }) }
    }
}

impl std::fmt::Display for Binding {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Binding::Tcp { host, port } if host.contains(':') => write!(f, "tcp://[{host}]:{port}"),
            Binding::Tcp { host, port } => write!(f, "tcp://{host}:{port}"),
            Binding::Unix(path) => write!(f, "unix://{}", path.display()),
        }
    }
}

impl Bound {
    pub(super) fn new(socket: Socket, address: Address) -> Self {
        Bound { socket, address }
    }

    /// The address, with the port that the system picked.
    pub fn address(&self) -> &Address {
        &self.address
    }

    pub(super) fn listen(self) -> io::Result<Listener> {
        self.socket.set_nonblocking(true)?;
        match self.address {
            Address::Tcp(_) => {
                Ok(Listener::Tcp(tokio::net::TcpListener::from_std(TcpListener::from(self.socket))?))
            }
            Address::Unix(_) => {
                let listener = UnixListener::from(std::os::fd::OwnedFd::from(self.socket));
                Ok(Listener::Unix(tokio::net::UnixListener::from_std(listener)?))
            }
        }
    }
}

fn bind_tcp(host: &str, port: u16, backlog: u32, inherited: &mut Inherited) -> io::Result<Vec<Bound>> {
    let mut addresses: Vec<SocketAddr> = (host, port).to_socket_addrs()?.collect();
    addresses.dedup();
    let mut bound = Vec::new();
    let mut first_error = None;
    let mut chosen = port;
    for mut address in addresses {
        // One port for all addresses of a name, also when the system picks it.
        address.set_port(chosen);
        let one = inherited.take_tcp(address).map_or_else(|| bind_address(address, backlog), Ok);
        match one {
            Ok(one) => {
                if let Address::Tcp(address) = one.address {
                    chosen = address.port();
                }
                bound.push(one);
            }
            // Such as ::1 of localhost on a machine without IPv6.
            Err(error) if error.kind() == io::ErrorKind::AddrNotAvailable => {
                first_error = first_error.or(Some(error))
            }
            Err(error) if port == 0 && !bound.is_empty() => first_error = first_error.or(Some(error)),
            Err(error) => return Err(error),
        }
    }
    match first_error {
        Some(error) if bound.is_empty() => Err(error),
        _ if bound.is_empty() => Err(io::Error::new(io::ErrorKind::NotFound, "the name has no address")),
        _ => Ok(bound),
    }
}

fn bind_address(address: SocketAddr, backlog: u32) -> io::Result<Bound> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_reuse_address(true)?;
    // Accepted sockets inherit it. A client that vanished in the middle of a call would hold it open for ever.
    let keepalive = TcpKeepalive::new()
        .with_time(KEEPALIVE_TIME)
        .with_interval(KEEPALIVE_INTERVAL)
        .with_retries(KEEPALIVE_RETRIES);
    socket.set_tcp_keepalive(&keepalive)?;
    if address.is_ipv6() && !address.ip().is_unspecified() {
        socket.set_only_v6(true)?;
    }
    socket.bind(&address.into())?;
    socket.listen(backlog.try_into().unwrap_or(i32::MAX))?;
    let local = socket.local_addr()?.as_socket().unwrap_or(address);
    Ok(Bound { socket, address: Address::Tcp(local) })
}

fn bind_unix(path: &Path, backlog: u32) -> io::Result<Bound> {
    remove_stale(path)?;
    let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
    socket.bind(&SockAddr::unix(path)?)?;
    socket.listen(backlog.try_into().unwrap_or(i32::MAX))?;
    Ok(Bound { socket, address: Address::Unix(Some(path.to_owned())) })
}

/// Removes the socket of a server that is gone; one that answers is in use.
fn remove_stale(path: &Path) -> io::Result<()> {
    match fs::symlink_metadata(path) {
        Ok(metadata) if metadata.file_type().is_socket() => match UnixStream::connect(path) {
            Ok(_) => Err(io::ErrorKind::AddrInUse.into()),
            Err(_) => fs::remove_file(path),
        },
        // Any other file stays, and `bind` says that the address is in use.
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tcp(host: &str, port: u16) -> Binding {
        Binding::Tcp { host: host.into(), port }
    }

    #[test]
    fn uris_are_read_as_they_are_written() {
        for uri in ["tcp://localhost:80", "tcp://[::1]:0", "unix:///run/s"] {
            assert_eq!(uri.parse::<Binding>().unwrap().to_string(), uri);
        }
        for bad in ["localhost:80", "tcp://localhost", "tcp://:80", "tcp://h:65536", "unix://relative"] {
            assert!(bad.parse::<Binding>().is_err(), "{bad}");
        }
    }

    #[test]
    fn port_zero_is_replaced_by_a_free_one() {
        let bound = tcp("127.0.0.1", 0).bind(16, &mut Inherited::default()).unwrap();
        assert!(matches!(bound[0].address(), Address::Tcp(address) if address.port() != 0));
    }

    #[test]
    fn vanished_clients_are_noticed_within_two_minutes() {
        let bound = tcp("127.0.0.1", 0).bind(16, &mut Inherited::default()).unwrap();
        let Address::Tcp(address) = bound[0].address() else { panic!() };
        let _client = std::net::TcpStream::connect(address).unwrap();
        let (accepted, _) = bound[0].socket.accept().unwrap();
        assert!(accepted.keepalive().unwrap());
        let silence = accepted.tcp_keepalive_time().unwrap();
        let questions =
            accepted.tcp_keepalive_interval().unwrap() * accepted.tcp_keepalive_retries().unwrap();
        assert!(silence + questions <= Duration::from_secs(120));
    }

    #[test]
    fn a_port_in_use_is_an_error_that_names_it() {
        let bound = tcp("127.0.0.1", 0).bind(16, &mut Inherited::default()).unwrap();
        let Address::Tcp(address) = bound[0].address() else { panic!() };
        let error = tcp("127.0.0.1", address.port()).bind(16, &mut Inherited::default()).unwrap_err();
        assert!(error.to_string().contains(&address.to_string()), "{error}");
    }

    #[test]
    fn a_stale_unix_socket_is_replaced_and_a_live_one_is_not() {
        let dir = tempfile::tempdir().unwrap();
        let binding = Binding::Unix(dir.path().join("s"));
        let first = binding.bind(16, &mut Inherited::default()).unwrap();
        assert!(binding.bind(16, &mut Inherited::default()).is_err());
        drop(first);
        assert!(binding.bind(16, &mut Inherited::default()).is_ok());
    }
}
