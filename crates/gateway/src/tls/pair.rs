//! Reads a certificate and its key from two PEM files, and verifies the certificates of clients.

use std::collections::hash_map::DefaultHasher;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use error_envelope_runtime::files::read_regular;
use tokio_rustls::rustls::crypto::CryptoProvider;
use tokio_rustls::rustls::crypto::ring::default_provider;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::server::danger::ClientCertVerifier;
use tokio_rustls::rustls::server::{NoServerSessionStorage, WebPkiClientVerifier};
use tokio_rustls::rustls::sign::CertifiedKey;
use tokio_rustls::rustls::{self, RootCertStore, ServerConfig};
use tower_error_envelope::auth::ClientCertificate;
use x509_parser::extensions::GeneralName;

use crate::error::Error;

/// The files of a certificate and its key, and the authorities that sign client certificates.
#[derive(Clone, Debug)]
pub(crate) struct Pair {
    pub(crate) certificate: PathBuf,
    pub(crate) key: PathBuf,
    pub(crate) clients: Option<ClientAuthorities>,
}

/// The TLS configuration that was read from the files.
pub(super) struct Read {
    pub(super) config: Arc<ServerConfig>,
    pub(super) fingerprint: u64,
    /// The earliest expiry in the certificate chain, in seconds since the Unix epoch.
    pub(super) not_after: Option<i64>,
}

impl Pair {
    /// Reads the files. An error never contains a line of a file, because the user may have swapped the files, and then
    /// each may contain the key.
    pub(super) fn read(&self) -> Result<Read, Error> {
        let (certificate, key) = (file(&self.certificate)?, file(&self.key)?);
        let clients = self.clients.as_ref().map(|clients| file(&clients.file)).transpose()?;
        let mut hasher = DefaultHasher::new();
        (&certificate, &key, &clients).hash(&mut hasher);
        let chain = certificates(&self.certificate, &certificate)?;
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
            // Sessions cannot be resumed. A client that resumes a session sends no certificate, so it would be accepted
            // even if its certificate has expired in the meantime.
            config.session_storage = Arc::new(NoServerSessionStorage {});
            config.send_tls13_tickets = 0;
        }
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Ok(config)
    }
}

impl Pair {
    /// Reads certificate and key for use as the gateway's own client certificate.
    pub(crate) fn certified(&self) -> Result<CertifiedKey, Error> {
        let chain = certificates(&self.certificate, &file(&self.certificate)?)?;
        let key = private_key(&self.key, &file(&self.key)?)?;
        CertifiedKey::from_der(chain, key, &default_provider()).map_err(|error| self.mismatch_error(&error))
    }

    /// Returns the names of the certificate's own files, without the file of the authorities of clients.
    pub(crate) fn own_files(&self) -> String {
        format!("{}, {}", self.certificate.display(), self.key.display())
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
        f.write_str(&self.own_files())?;
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

/// A PEM file with the authorities that sign client certificates. The file is reloaded like the gateway's own
/// certificate.
#[derive(Clone, Debug)]
#[must_use]
pub struct ClientAuthorities {
    pub(super) file: PathBuf,
    is_required: bool,
}

impl ClientAuthorities {
    /// Also accepts clients without a certificate. The policy decides which routes these clients may use (scheme
    /// "certificate"). The handshake fails if a certificate has expired, or if no authority in `file` signed it.
    pub fn optional(file: impl Into<PathBuf>) -> Self {
        Self { file: file.into(), is_required: false }
    }

    /// Requires a certificate. A handshake without one fails.
    pub fn required(file: impl Into<PathBuf>) -> Self {
        Self { file: file.into(), is_required: true }
    }

    pub(super) fn verifier(
        &self,
        text: &[u8],
        provider: Arc<CryptoProvider>,
    ) -> Result<Arc<dyn ClientCertVerifier>, Error> {
        let unusable = |path: &Path, error: &dyn std::fmt::Display| {
            Error::invalid(format!("{}: {error}", path.display()))
                .with_advice("name a file with PEM certificates of the authorities that sign client certificates")
        };
        let mut roots = RootCertStore::empty();
        for certificate in certificates(&self.file, text)? {
            roots.add(certificate).map_err(|error| unusable(&self.file, &error))?;
        }
        let builder = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
        let builder = if self.is_required { builder } else { builder.allow_unauthenticated() };
        builder.build().map_err(|error| unusable(&self.file, &error))
    }
}

/// Returns the name in a verified certificate. This is the first of the following names that the certificate contains:
/// a URI, a DNS name or an email address among its alternative names, or the subject's common name. Without any of
/// these, the name is empty.
pub(crate) fn certificate_name(certificate: &CertificateDer<'_>) -> ClientCertificate {
    let Ok((_, certificate)) = x509_parser::parse_x509_certificate(certificate) else {
        return ClientCertificate::new("");
    };
    let alternatives = certificate.subject_alternative_name().ok().flatten();
    let alternatives = alternatives.map_or(&[][..], |extension| &extension.value.general_names);
    let first = |is_kind: fn(&GeneralName<'_>) -> bool| alternatives.iter().find(|name| is_kind(name));
    let named = first(|name| matches!(name, GeneralName::URI(_)))
        .or_else(|| first(|name| matches!(name, GeneralName::DNSName(_))))
        .or_else(|| first(|name| matches!(name, GeneralName::RFC822Name(_))));
    let name = match named {
        Some(GeneralName::URI(name) | GeneralName::DNSName(name) | GeneralName::RFC822Name(name)) => *name,
        _ => certificate.subject().iter_common_name().next().and_then(|name| name.as_str().ok()).unwrap_or_default(),
    };
    ClientCertificate::new(name)
}

/// The size of the largest file to read. A certificate chain has only a few KiB.
const MAX_FILE_BYTES: u64 = 4 * 1024 * 1024;

pub(super) fn file(path: &Path) -> Result<Vec<u8>, Error> {
    read_regular(path, MAX_FILE_BYTES).map_err(|error| {
        let (wrong, help) = match error.kind() {
            ErrorKind::FileTooLarge => ("is larger than 4 MiB".to_owned(), "name a PEM file"),
            ErrorKind::InvalidInput => (format!("cannot be read: {error}"), "name a regular file"),
            _ => (format!("cannot be read: {error}"), "name a readable file"),
        };
        Error::unreadable(format!("{}: {wrong}", path.display())).with_advice(help)
    })
}

/// Returns the certificates in a file, or an error if the file contains none.
pub(super) fn certificates(path: &Path, text: &[u8]) -> Result<Vec<CertificateDer<'static>>, Error> {
    let chain = CertificateDer::pem_slice_iter(text).collect::<Result<Vec<_>, _>>();
    chain.ok().filter(|chain| !chain.is_empty()).ok_or_else(|| {
        let help = "name a PEM file with certificates; in a chain, the service's own comes first";
        Error::invalid(format!("{}: no certificate can be read", path.display())).with_advice(help)
    })
}

#[cfg(test)]
mod tests {
    use rcgen::string::Ia5String;
    use rcgen::{CertificateParams, DnType, KeyPair, SanType};

    use super::*;

    fn name(common: Option<&str>, alternatives: Vec<SanType>) -> String {
        let mut params = CertificateParams::default();
        params.distinguished_name = rcgen::DistinguishedName::new();
        if let Some(common) = common {
            params.distinguished_name.push(DnType::CommonName, common);
        }
        params.subject_alt_names = alternatives;
        let certificate = params.self_signed(&KeyPair::generate().unwrap()).unwrap();
        certificate_name(certificate.der()).name().to_owned()
    }

    fn ia5(text: &str) -> Ia5String {
        Ia5String::try_from(text).unwrap()
    }

    #[test]
    fn g2_the_name_is_an_alternative_one_before_the_common_one() {
        let [uri, dns] = [SanType::URI(ia5("spiffe://a/b")), SanType::DnsName(ia5("b.example"))];
        let [email, ip] = [SanType::Rfc822Name(ia5("b@example")), SanType::IpAddress([127, 0, 0, 1].into())];
        for (common, alternatives, named) in [
            (Some("Büro 7"), vec![], "Büro 7"),
            (Some("common"), vec![ip.clone()], "common"),
            (Some("common"), vec![ip, email.clone()], "b@example"),
            (Some("common"), vec![email.clone(), dns.clone()], "b.example"),
            (None, vec![email, dns, uri], "spiffe://a/b"),
            (None, vec![], ""),
        ] {
            assert_eq!(name(common, alternatives), named);
        }
        assert_eq!(certificate_name(&vec![0_u8; 1 << 20].into()).name(), "");
    }
}
