//! A server in threads of its own, and how to reach it.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use hyperion_core::listener::{Binding, Inherited};
use hyperion_core::server::Running;
use hyperion_core::tls::Tls;
use hyperion_core::{Address, Config, Observer, Server};
use rustls::pki_types::CertificateDer;
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;

use crate::support::app::{App, Watch};
use crate::support::{Client, LogFile, tls};

/// What nobody has to wait longer for, even on a busy machine.
pub(crate) const SOON: Duration = Duration::from_secs(60);

pub(crate) struct Served {
    pub(crate) running: Running,
    pub(crate) address: SocketAddr,
    /// Where requests in the clear are redirected.
    pub(crate) redirect: SocketAddr,
    pub(crate) watch: Watch,
    certificate: Option<CertificateDer<'static>>,
    _dir: tempfile::TempDir,
}

impl Served {
    pub(crate) fn plain(change: impl FnOnce(&mut Config)) -> Self {
        Self::start(change, false, Observer::default())
    }

    pub(crate) fn tls(change: impl FnOnce(&mut Config)) -> Self {
        Self::start(change, true, Observer::default())
    }

    /// As [`Served::tls`], with an access log.
    pub(crate) fn logged(change: impl FnOnce(&mut Config), log: &LogFile) -> Self {
        Self::start(change, true, log.observer())
    }

    fn start(change: impl FnOnce(&mut Config), encrypted: bool, observer: Observer) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let mut config = Config::default();
        change(&mut config);
        let development = encrypted.then(|| Tls::development(dir.path()).unwrap());
        let certificate = development.as_ref().map(|(_, path)| tls::certificate(path));
        let binding = [Binding::Tcp { host: "127.0.0.1".into(), port: 0 }];
        let mut server = Server::bind(config, &binding, 1024, development.map(|(tls, _)| tls)).unwrap();
        server.bind_redirects(&binding, 16, &mut Inherited::default()).unwrap();
        let Some(Address::Tcp(address)) = server.addresses().next().cloned() else { panic!() };
        let Some(Address::Tcp(redirect)) = server.redirect_addresses().next().cloned() else { panic!() };
        let (app, watch) = App::new();
        let running = server.start(Arc::new(app), observer).unwrap();
        Served { running, address, redirect, watch, certificate, _dir: dir }
    }

    pub(crate) async fn connect(&self) -> TcpStream {
        tokio::time::timeout(SOON, TcpStream::connect(self.address)).await.expect("in time").unwrap()
    }

    pub(crate) async fn client(&self) -> Client {
        let mut client = Client::new(self.connect().await);
        client.handshake(&[]).await;
        client
    }

    /// A handshake with these protocol versions.
    pub(crate) async fn connect_tls(
        &self,
        versions: &[&'static rustls::SupportedProtocolVersion],
    ) -> TlsStream<TcpStream> {
        self.connect_tls_for(versions, &["h2"]).await
    }

    /// One that offers these protocols.
    pub(crate) async fn connect_tls_for(
        &self,
        versions: &[&'static rustls::SupportedProtocolVersion],
        protocols: &[&str],
    ) -> TlsStream<TcpStream> {
        let certificate = self.certificate.clone().unwrap();
        let connect = tls::connect(self.connect().await, certificate, versions, protocols);
        tokio::time::timeout(SOON, connect).await.expect("in time")
    }

    pub(crate) async fn tls_client(&self) -> Client {
        let mut client = Client::new(self.connect_tls(rustls::ALL_VERSIONS).await);
        client.handshake(&[]).await;
        client
    }

    pub(crate) async fn stop(self) {
        self.running.shutdown();
        tokio::time::timeout(SOON, self.running.finished()).await.expect("a stop in time");
    }
}
