//! One connection to the server, over TLS, with HTTP/2 or HTTP/1.1 on it.

use std::str::FromStr;
use std::sync::Arc;

use bytes::Bytes;
use h2::client::SendRequest;
use http::{Request, StatusCode, Uri};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, SignatureScheme};
use tokio::io::{AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::Error;
use crate::frames::Frames;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Protocol {
    Http1,
    Http2,
}

/// Where requests go, and how.
#[derive(Clone)]
pub(crate) struct Target {
    pub(crate) protocol: Protocol,
    uri: Uri,
    address: String,
    tls: TlsConnector,
}

pub(crate) enum Link {
    Http1(Box<Http1>),
    Http2(SendRequest<Bytes>),
}

/// One request at a time.
pub(crate) struct Http1 {
    io: BufReader<TlsStream<TcpStream>>,
    request: Vec<u8>,
}

/// The certificate is made for the run; what is measured is the server.
#[derive(Debug)]
struct AnyCertificate(Arc<CryptoProvider>);

/// Bytes of a response head at most.
const MAX_HEAD: usize = 64 * 1024;
/// So that no response waits for its window.
const WINDOW: u32 = 16 * 1024 * 1024;

impl FromStr for Protocol {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self, Error> {
        match name {
            "h2" => Ok(Protocol::Http2),
            "http/1.1" => Ok(Protocol::Http1),
            _ => Err(format!("unknown protocol {name}: h2 or http/1.1").into()),
        }
    }
}

impl Target {
    pub(crate) fn new(uri: Uri, protocol: Protocol) -> Result<Self, Error> {
        let port = uri.port_u16().ok_or("the URL needs a port")?;
        let address = format!("{}:{port}", uri.host().ok_or("the URL needs a host")?);
        let mut provider = aws_lc_rs::default_provider();
        // The key exchange that every server has: each does the same work.
        provider.kx_groups = vec![aws_lc_rs::kx_group::X25519];
        let provider = Arc::new(provider);
        let mut config = ClientConfig::builder_with_provider(provider.clone())
            .with_safe_default_protocol_versions()?
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(AnyCertificate(provider)))
            .with_no_client_auth();
        config.resumption = rustls::client::Resumption::disabled();
        config.alpn_protocols = match protocol {
            Protocol::Http1 => vec![b"http/1.1".to_vec()],
            Protocol::Http2 => vec![b"h2".to_vec()],
        };
        Ok(Target { protocol, uri, address, tls: TlsConnector::from(Arc::new(config)) })
    }

    /// A stream after its TLS handshake.
    pub(crate) async fn dial(&self) -> Result<TlsStream<TcpStream>, Error> {
        let stream = TcpStream::connect(&self.address).await?;
        stream.set_nodelay(true)?;
        Ok(self.tls.connect(ServerName::try_from("localhost")?, stream).await?)
    }

    /// A connection after its handshakes.
    pub(crate) async fn connect(&self) -> Result<Link, Error> {
        let io = self.dial().await?;
        if self.protocol == Protocol::Http1 {
            return Ok(Link::Http1(Box::new(self.http1(io))));
        }
        let mut builder = h2::client::Builder::new();
        builder.initial_window_size(WINDOW).initial_connection_window_size(WINDOW);
        let (sender, connection) = builder.handshake(io).await?;
        // Its end shows in the requests.
        tokio::task::spawn_local(connection);
        Ok(Link::Http2(sender))
    }

    /// A connection of HTTP/1.1 on a stream.
    pub(crate) fn http1(&self, io: TlsStream<TcpStream>) -> Http1 {
        let path = self.uri.path_and_query().map_or("/", |path| path.as_str());
        let request = format!("GET {path} HTTP/1.1\r\nhost: {}\r\n\r\n", self.address).into_bytes();
        Http1 { io: BufReader::new(io), request }
    }

    /// What is said on a connection of HTTP/2 that asks for the same again and again.
    pub(crate) fn frames(&self) -> Result<Frames, Error> {
        Frames::new(&self.uri)
    }

    fn request(&self) -> Request<()> {
        Request::builder().uri(self.uri.clone()).body(()).expect("a URI that was parsed")
    }

    /// Sends a request; answers when the whole response is here. Anything but 200 is an error.
    pub(crate) async fn fetch(&self, link: &mut Link) -> Result<(), Error> {
        match link {
            Link::Http1(link) => link.fetch().await,
            Link::Http2(sender) => self.fetch_h2(sender.clone()).await,
        }
    }

    async fn fetch_h2(&self, sender: SendRequest<Bytes>) -> Result<(), Error> {
        let (response, _) = sender.ready().await?.send_request(self.request(), true)?;
        let response = response.await?;
        expect_ok(response.status())?;
        let mut body = response.into_body();
        while let Some(chunk) = body.data().await {
            body.flow_control().release_capacity(chunk?.len())?;
        }
        Ok(())
    }
}

fn expect_ok(status: StatusCode) -> Result<(), Error> {
    if status == StatusCode::OK { Ok(()) } else { Err(format!("answered {status}").into()) }
}

impl Http1 {
    /// Sends the request, and reads the response.
    pub(crate) async fn fetch(&mut self) -> Result<(), Error> {
        self.io.write_all(&self.request).await?;
        self.io.flush().await?;
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(self.io.read_u8().await?);
            if head.len() > MAX_HEAD {
                return Err("the response head has no end".into());
            }
        }
        let head = String::from_utf8_lossy(&head).to_ascii_lowercase();
        expect_ok(head.get(9..12).unwrap_or_default().parse()?)?;
        let length = head.lines().find_map(|line| line.strip_prefix("content-length:"));
        let length: u64 = length.ok_or("a response without content-length")?.trim().parse()?;
        let read = tokio::io::copy(&mut (&mut self.io).take(length), &mut tokio::io::sink()).await?;
        if read == length { Ok(()) } else { Err("a response was cut short".into()) }
    }
}

impl ServerCertVerifier for AnyCertificate {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
