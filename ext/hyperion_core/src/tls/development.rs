//! A self-signed certificate for localhost, kept per user so that a browser has to be told of it only once.

use std::error::Error;
use std::fs::{self, OpenOptions};
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

const CERT_FILE: &str = "localhost.pem";
pub(super) const KEY_FILE: &str = "localhost-key.pem";

/// Browsers refuse certificates that are valid for more than 398 days.
const VALIDITY: Duration = Duration::from_secs(397 * DAY);
/// Made anew when it is this old, well before it expires.
const RENEWAL: Duration = Duration::from_secs(300 * DAY);
const DAY: u64 = 24 * 60 * 60;

/// The paths of certificate and key, which are made when there are none or they are old.
pub(super) fn ensure(dir: &Path) -> Result<(PathBuf, PathBuf), Box<dyn Error>> {
    let (cert, key) = (dir.join(CERT_FILE), dir.join(KEY_FILE));
    if !(is_fresh(&cert) && key.exists()) {
        fs::DirBuilder::new().recursive(true).mode(0o700).create(dir)?;
        let (cert_pem, key_pem) = generate()?;
        // The key first: a certificate is there only with its key.
        replace(&key, &key_pem)?;
        replace(&cert, &cert_pem)?;
    }
    Ok((cert, key))
}

fn is_fresh(cert: &Path) -> bool {
    let age = fs::metadata(cert).and_then(|metadata| metadata.modified()).map(|made| made.elapsed());
    matches!(age, Ok(Ok(age)) if age < RENEWAL)
}

fn generate() -> Result<(String, String), rcgen::Error> {
    let names = ["localhost", "127.0.0.1", "::1"].map(String::from).to_vec();
    let mut params = rcgen::CertificateParams::new(names)?;
    let now = SystemTime::now();
    params.not_before = (now - Duration::from_secs(DAY)).into();
    params.not_after = (now + VALIDITY).into();
    params.distinguished_name.push(rcgen::DnType::CommonName, "localhost (hyperion-rs development)");
    params.extended_key_usages.push(rcgen::ExtendedKeyUsagePurpose::ServerAuth);
    let key = rcgen::KeyPair::generate()?;
    let cert = params.self_signed(&key)?;
    Ok((cert.pem(), key.serialize_pem()))
}

/// Writes a file that only its owner can read, in one step.
fn replace(path: &Path, content: &str) -> std::io::Result<()> {
    let temporary = path.with_extension(format!("tmp{}", std::process::id()));
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&temporary)?;
    file.write_all(content.as_bytes())?;
    fs::rename(temporary, path)
}
