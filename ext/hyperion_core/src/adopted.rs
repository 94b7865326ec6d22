//! A connected socket that somebody else has accepted.

use std::io;
use std::os::fd::OwnedFd;
use std::pin::Pin;

use socket2::{SockAddr, Type};
use thiserror::Error;
use tokio::net::{TcpStream, UnixStream};

use crate::listener::Socket;
use crate::peer::{Address, Peer, TlsSession};
use crate::service::Service;
use crate::tls::Tls;

/// A socket that a service can serve.
#[derive(Debug)]
pub struct Adopted {
    socket: socket2::Socket,
    remote: Address,
    local: Address,
}

/// Why a descriptor cannot be served.
#[derive(Debug, Error)]
pub enum AdoptError {
    /// It is no stream socket, one that listens, or of a family that is not served.
    #[error("not a connected stream socket")]
    NotAStream,
    /// The system refuses.
    #[error(transparent)]
    Io(#[from] io::Error),
}

impl Adopted {
    /// Looks at a descriptor; `None` when its peer has gone already.
    pub fn new(descriptor: OwnedFd) -> Result<Option<Self>, AdoptError> {
        let socket = socket2::Socket::from(descriptor);
        if socket.r#type().map_err(|_| AdoptError::NotAStream)? != Type::STREAM {
            return Err(AdoptError::NotAStream);
        }
        #[cfg(target_os = "linux")]
        if socket.is_listener()? {
            return Err(AdoptError::NotAStream);
        }
        let local = address(&socket.local_addr()?).ok_or(AdoptError::NotAStream)?;
        let remote = match socket.peer_addr() {
            Ok(remote) => address(&remote).ok_or(AdoptError::NotAStream)?,
            Err(error) if is_gone(&error) => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        socket.set_nonblocking(true)?;
        Ok(Some(Adopted { socket, remote, local }))
    }

    /// Serves the connection until it is over; under TLS when that is given. To be called inside the runtime.
    pub fn serve(self, service: &Service, tls: Option<&Tls>) -> io::Result<Connection> {
        let Adopted { socket, remote, local } = self;
        let socket = into_socket(socket, &local)?;
        Ok(match tls {
            Some(tls) => Box::pin(service.serve_tls(socket, tls, remote, local)),
            None => Box::pin(service.serve(socket, Peer { remote, local, tls: None })),
        })
    }

    /// Serves what somebody else passes on by this socket. `carrier` is the socket of the client, and `tls` what the
    /// bytes were taken out of. To be called inside the runtime.
    pub fn serve_behind(
        self,
        service: &Service,
        carrier: Option<Adopted>,
        tls: Option<TlsSession>,
    ) -> io::Result<Connection> {
        let socket = into_socket(self.socket, &self.local)?;
        let (remote, local) = match carrier {
            Some(Adopted { socket, remote, local }) => {
                send_at_once(&socket, &local);
                (remote, local)
            }
            None => (self.remote, self.local),
        };
        Ok(Box::pin(service.serve(socket, Peer { remote, local, tls })))
    }
}

/// Runs for as long as the connection.
pub type Connection = Pin<Box<dyn Future<Output = ()> + Send>>;

fn into_socket(socket: socket2::Socket, local: &Address) -> io::Result<Socket> {
    send_at_once(&socket, local);
    Ok(match local {
        Address::Tcp(_) => Socket::Tcp(TcpStream::from_std(socket.into())?),
        Address::Unix(_) => Socket::Unix(UnixStream::from_std(socket.into())?),
    })
}

/// Responses leave in whole flushes: waiting for more would only add latency.
fn send_at_once(socket: &socket2::Socket, local: &Address) {
    if let Address::Tcp(_) = local {
        // A client that is gone is found out by the first read.
        let _ = socket.set_tcp_nodelay(true);
    }
}

fn address(address: &SockAddr) -> Option<Address> {
    let tcp = address.as_socket().map(Address::Tcp);
    tcp.or_else(|| address.is_unix().then(|| Address::Unix(address.as_pathname().map(Into::into))))
}

/// What the system says of a socket whose peer has closed or reset it.
fn is_gone(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotConnected | io::ErrorKind::InvalidInput)
}

#[cfg(test)]
mod tests {
    use std::net::{TcpListener, UdpSocket};
    use std::os::unix::net::UnixStream;

    use super::*;

    #[test]
    fn only_stream_sockets_are_adopted() {
        let udp = UdpSocket::bind("127.0.0.1:0").unwrap();
        assert!(matches!(Adopted::new(udp.into()), Err(AdoptError::NotAStream)));
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        assert!(matches!(Adopted::new(listener.into()), Err(AdoptError::NotAStream)));
        let file = std::fs::File::open("/dev/null").unwrap();
        assert!(matches!(Adopted::new(file.into()), Err(AdoptError::NotAStream)));
        let (one, _other) = UnixStream::pair().unwrap();
        let Adopted { remote, local, .. } = Adopted::new(one.into()).unwrap().unwrap();
        assert!(matches!((remote, local), (Address::Unix(None), Address::Unix(None))));
    }

    #[test]
    fn a_socket_without_a_peer_is_none() {
        let socket = socket2::Socket::new(socket2::Domain::IPV4, Type::STREAM, None).unwrap();
        assert!(Adopted::new(socket.into()).unwrap().is_none());
    }
}
