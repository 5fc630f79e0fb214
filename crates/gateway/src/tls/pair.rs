//! A certificate and its key, in two PEM files.

use std::collections::hash_map::DefaultHasher;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio_rustls::rustls::crypto::ring::default_provider;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::server::{NoServerSessionStorage, WebPkiClientVerifier};
use tokio_rustls::rustls::sign::CertifiedKey;
use tokio_rustls::rustls::{self, ServerConfig};

use super::clients::ClientAuthorities;
use super::pem;
use crate::error::Error;

/// The files of the pair, and the authorities of client certificates.
#[derive(Clone, Debug)]
pub(crate) struct Pair {
    pub(crate) certificate: PathBuf,
    pub(crate) key: PathBuf,
    pub(crate) clients: Option<ClientAuthorities>,
}

/// The content of the files.
pub(super) struct Read {
    pub(super) config: Arc<ServerConfig>,
    pub(super) fingerprint: u64,
    /// The earliest expiry in the chain, in seconds since the Unix epoch.
    pub(super) not_after: Option<i64>,
}

impl Pair {
    /// Reads the files. An error never contains a line of a file, because either file may be the key.
    pub(super) fn read(&self) -> Result<Read, Error> {
        let (certificate, key) = (pem::file(&self.certificate)?, pem::file(&self.key)?);
        let clients = self.clients.as_ref().map(|clients| pem::file(&clients.file)).transpose()?;
        let mut hasher = DefaultHasher::new();
        (&certificate, &key, &clients).hash(&mut hasher);
        let chain = pem::certificates(&self.certificate, &certificate)?;
        let not_after = chain.iter().filter_map(not_after).min();
        let config = Arc::new(self.config(chain, private_key(&self.key, &key)?, clients)?);
        Ok(Read { config, fingerprint: hasher.finish(), not_after })
    }

    fn config(
        &self,
        chain: Vec<CertificateDer<'static>>,
        key: PrivateKeyDer<'static>,
        clients: Option<Vec<u8>>,
    ) -> Result<ServerConfig, Error> {
        let provider = Arc::new(default_provider());
        let verifier = match (&self.clients, clients) {
            (Some(clients), Some(text)) => clients.verifier(&text, Arc::clone(&provider))?,
            _ => WebPkiClientVerifier::no_client_auth(),
        };
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .and_then(|config| config.with_client_cert_verifier(verifier).with_single_cert(chain, key));
        let mut config = config.map_err(|error| self.mismatch_error(&error))?;
        if self.clients.is_some() {
            // A client that resumes a session sends no certificate, and would be accepted even if its certificate has
            // expired since.
            config.session_storage = Arc::new(NoServerSessionStorage {});
            config.send_tls13_tickets = 0;
        }
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Ok(config)
    }
}

impl Pair {
    /// The pair for use as a client.
    pub(crate) fn certified(&self) -> Result<CertifiedKey, Error> {
        let chain = pem::certificates(&self.certificate, &pem::file(&self.certificate)?)?;
        let key = private_key(&self.key, &pem::file(&self.key)?)?;
        CertifiedKey::from_der(chain, key, &default_provider()).map_err(|error| self.mismatch_error(&error))
    }

    fn mismatch_error(&self, error: &rustls::Error) -> Error {
        let (certificate, key) = (self.certificate.display(), self.key.display());
        match error {
            rustls::Error::InconsistentKeys(_) => {
                let advice = format!(
                    "use a certificate with its key; in {certificate}, the service's own certificate comes first"
                );
                Error::invalid(format!("{key}: the key does not belong to {certificate}")).with_advice(advice)
            }
            error => Error::invalid(format!("{certificate} and {key}: {error}"))
                .with_advice("name a valid certificate and its key"),
        }
    }
}

impl fmt::Display for Pair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, {}", self.certificate.display(), self.key.display())?;
        self.clients.iter().try_for_each(|clients| write!(f, ", {}", clients.file.display()))
    }
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
