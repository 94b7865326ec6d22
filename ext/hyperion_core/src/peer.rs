//! Who is at the other end of a connection.

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;

/// An address that can be listened on or connected from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Address {
    /// An internet address.
    Tcp(SocketAddr),
    /// A unix socket; clients are unnamed as a rule.
    Unix(Option<PathBuf>),
}

/// What is known of a TLS session once its handshake is done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsSession {
    /// As in `TLSv1.3`.
    pub version: &'static str,
    /// The server name that the client asked for.
    pub server_name: Option<String>,
}

/// The two ends of a connection, shared by its requests.
#[derive(Clone, Debug)]
pub struct Peer {
    /// The client's end.
    pub remote: Address,
    /// Our end.
    pub local: Address,
    /// `None` over a connection in the clear.
    pub tls: Option<TlsSession>,
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Address::Tcp(address) => address.fmt(f),
            Address::Unix(Some(path)) => write!(f, "unix:{}", path.display()),
            Address::Unix(None) => f.write_str("unix:"),
        }
    }
}
