//! A certificate and its key, as two files of PEM.

use std::collections::hash_map::DefaultHasher;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio_rustls::rustls::crypto::ring::default_provider;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::{self, ServerConfig};

use error_envelope_runtime::files::read_regular;

use crate::error::Error;

/// A chain has some KiB: a file beyond this is another file.
const MAX_FILE_BYTES: u64 = 4 * 1024 * 1024;

/// Where the pair is.
#[derive(Clone, Debug)]
pub(crate) struct Pair {
    pub(crate) certificate: PathBuf,
    pub(crate) key: PathBuf,
}

/// What the files say.
pub(super) struct Read {
    pub(super) config: Arc<ServerConfig>,
    pub(super) fingerprint: u64,
    /// When the first certificate of the chain expires, in seconds since the Unix epoch.
    pub(super) not_after: Option<i64>,
}

impl Pair {
    /// The files, and what tells whether they are others than before, whatever is wrong with them. No line of a file gets
    /// into an error: either may be the key.
    pub(super) fn read(&self) -> (u64, Result<Read, Error>) {
        let (certificate, key) = (file(&self.certificate), file(&self.key));
        let mut hasher = DefaultHasher::new();
        for text in [&certificate, &key] {
            text.as_ref().map_err(ToString::to_string).hash(&mut hasher);
        }
        let fingerprint = hasher.finish();
        let read = certificate.and_then(|certificate| self.parse(&certificate, &key?, fingerprint));
        (fingerprint, read)
    }

    fn parse(&self, certificate: &[u8], key: &[u8], fingerprint: u64) -> Result<Read, Error> {
        let chain = chain(&self.certificate, certificate)?;
        let not_after = chain.iter().filter_map(not_after).min();
        let config = Arc::new(self.config(chain, private_key(&self.key, key)?)?);
        Ok(Read { config, fingerprint, not_after })
    }

    fn config(&self, chain: Vec<CertificateDer<'static>>, key: PrivateKeyDer<'static>) -> Result<ServerConfig, Error> {
        let config = ServerConfig::builder_with_provider(Arc::new(default_provider()))
            .with_safe_default_protocol_versions()
            .and_then(|config| config.with_no_client_auth().with_single_cert(chain, key));
        let mut config = config.map_err(|error| {
            let (certificate, key) = (self.certificate.display(), self.key.display());
            match error {
                rustls::Error::InconsistentKeys(_) => {
                    let advice = format!("name a pair; in {certificate} the service's own certificate comes first");
                    Error::invalid(format!("{key}: the key is not that of {certificate}")).with_advice(advice)
                }
                error => Error::invalid(format!("{certificate} and {key}: {error}"))
                    .with_advice("name a certificate and its key"),
            }
        })?;
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Ok(config)
    }
}

impl fmt::Display for Pair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, {}", self.certificate.display(), self.key.display())
    }
}

fn file(path: &Path) -> Result<Vec<u8>, Error> {
    read_regular(path, MAX_FILE_BYTES).map_err(|error| {
        let (wrong, help) = match error.kind() {
            ErrorKind::FileTooLarge => ("is larger than 4 MiB".to_owned(), "name a file of PEM"),
            ErrorKind::InvalidInput => (format!("cannot be read: {error}"), "name a regular file"),
            _ => (format!("cannot be read: {error}"), "name a readable file"),
        };
        Error::unreadable(format!("{}: {wrong}", path.display())).with_advice(help)
    })
}

fn chain(path: &Path, text: &[u8]) -> Result<Vec<CertificateDer<'static>>, Error> {
    let chain = CertificateDer::pem_slice_iter(text).collect::<Result<Vec<_>, _>>();
    chain.ok().filter(|chain| !chain.is_empty()).ok_or_else(|| {
        let help = "name a file of PEM certificates, the service's own first";
        Error::invalid(format!("{}: no certificate can be read", path.display())).with_advice(help)
    })
}

fn not_after(certificate: &CertificateDer<'_>) -> Option<i64> {
    let (_, certificate) = x509_parser::parse_x509_certificate(certificate).ok()?;
    Some(certificate.validity().not_after.timestamp())
}

fn private_key(path: &Path, text: &[u8]) -> Result<PrivateKeyDer<'static>, Error> {
    PrivateKeyDer::from_pem_slice(text).map_err(|_| {
        let help = "name a file with a PEM private key (PKCS #8, PKCS #1 or SEC 1) that is not encrypted";
        Error::invalid(format!("{}: no key can be read", path.display())).with_advice(help)
    })
}
