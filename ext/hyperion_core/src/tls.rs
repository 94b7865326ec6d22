//! TLS 1.2 and 1.3 by rustls: the server's identity and what it negotiates.

mod development;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::ServerConfig;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, pem};
use rustls::server::ServerSessionMemoryCache;
use thiserror::Error;

/// A ready TLS configuration.
#[derive(Clone, Debug)]
pub struct Tls(pub(crate) Arc<ServerConfig>);

/// Why there is no TLS.
#[derive(Debug, Error)]
pub enum TlsError {
    /// A file is missing, unreadable, or not PEM.
    #[error("{}: {error}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        error: pem::Error,
    },
    /// A PEM file without a certificate.
    #[error("{}: no certificate in this file", .0.display())]
    NoCertificate(PathBuf),
    /// The key is not the certificate's, or of a kind that is not supported.
    #[error("{} and {}: {error}", cert.display(), key.display())]
    Identity {
        /// The certificate file.
        cert: PathBuf,
        /// The key file.
        key: PathBuf,
        /// What does not fit.
        error: rustls::Error,
    },
    /// The development certificate could not be made or kept.
    #[error("development certificate in {}: {reason}", dir.display())]
    Development {
        /// The directory it is kept in.
        dir: PathBuf,
        /// Why.
        reason: String,
    },
}

/// ALPN names, best first (RFC 7301).
const ALPN: [&[u8]; 3] = [b"h2", b"http/1.1", b"http/1.0"];
/// Sessions that TLS 1.2 clients without tickets may resume.
const SESSION_CACHE: usize = 1024;

impl Tls {
    /// Loads a certificate chain and its key (PKCS#8, PKCS#1 or SEC1) from PEM files.
    pub fn load(cert: &Path, key: &Path) -> Result<Self, TlsError> {
        let unreadable = |path: &Path| {
            let path = path.to_owned();
            move |error| TlsError::File { path, error }
        };
        let chain: Vec<CertificateDer<'static>> =
            CertificateDer::pem_file_iter(cert).and_then(Iterator::collect).map_err(unreadable(cert))?;
        if chain.is_empty() {
            return Err(TlsError::NoCertificate(cert.to_owned()));
        }
        let private = PrivateKeyDer::from_pem_file(key).map_err(unreadable(key))?;
        let mismatch = |error| TlsError::Identity { cert: cert.to_owned(), key: key.to_owned(), error };
        Self::new(chain, private).map_err(mismatch)
    }

    /// A self-signed certificate for localhost, made once and kept in `dir`; also the path of the certificate.
    pub fn development(dir: &Path) -> Result<(Self, PathBuf), TlsError> {
        let (cert, key) = development::ensure(dir)
            .map_err(|error| TlsError::Development { dir: dir.to_owned(), reason: error.to_string() })?;
        Ok((Self::load(&cert, &key)?, cert))
    }

    fn new(chain: Vec<CertificateDer<'static>>, key: PrivateKeyDer<'static>) -> Result<Self, rustls::Error> {
        let mut config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_single_cert(chain, key)?;
        config.alpn_protocols = ALPN.map(<[u8]>::to_vec).to_vec();
        config.session_storage = ServerSessionMemoryCache::new(SESSION_CACHE);
        config.ticketer = aws_lc_rs::Ticketer::new()?;
        Ok(Tls(Arc::new(config)))
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn the_development_certificate_is_made_once() {
        let dir = tempfile::tempdir().unwrap();
        let (_, cert) = Tls::development(dir.path()).unwrap();
        let first = fs::read(&cert).unwrap();
        let (_, again) = Tls::development(dir.path()).unwrap();
        assert_eq!(fs::read(again).unwrap(), first);
    }

    #[test]
    fn errors_name_the_file() {
        let dir = tempfile::tempdir().unwrap();
        let missing = dir.path().join("missing.pem");
        let error = Tls::load(&missing, &missing).unwrap_err();
        assert!(error.to_string().contains("missing.pem"), "{error}");
        let empty = dir.path().join("empty.pem");
        fs::write(&empty, "").unwrap();
        let error = Tls::load(&empty, &empty).unwrap_err();
        assert!(error.to_string().contains("no certificate"), "{error}");
    }

    #[test]
    fn a_key_of_another_certificate_is_refused() {
        let (one, two) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let (_, cert) = Tls::development(one.path()).unwrap();
        let (_, other) = Tls::development(two.path()).unwrap();
        let key = other.with_file_name(development::KEY_FILE);
        assert!(matches!(Tls::load(&cert, &key), Err(TlsError::Identity { .. })));
    }
}
