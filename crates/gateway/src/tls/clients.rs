//! Certificates of clients: the authorities that sign them, and the name in them.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio_rustls::rustls::RootCertStore;
use tokio_rustls::rustls::crypto::CryptoProvider;
use tokio_rustls::rustls::pki_types::CertificateDer;
use tokio_rustls::rustls::server::WebPkiClientVerifier;
use tokio_rustls::rustls::server::danger::ClientCertVerifier;
use tower_error_envelope::auth::ClientCertificate;
use x509_parser::extensions::GeneralName;

use super::pem;
use crate::error::Error;

/// The authorities of client certificates, in a PEM file. It is reloaded like the gateway's own certificate.
#[derive(Clone, Debug)]
#[must_use]
pub struct ClientAuthorities {
    pub(super) file: PathBuf,
    is_required: bool,
}

impl ClientAuthorities {
    /// Accepts clients without a certificate, too: the policy sets which routes they may use (scheme "certificate"). A
    /// certificate that has expired, or that no authority in `file` signed, ends the handshake.
    pub fn optional(file: impl Into<PathBuf>) -> Self {
        Self { file: file.into(), is_required: false }
    }

    /// Requires a certificate: a handshake without one fails.
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
        for certificate in pem::certificates(&self.file, text)? {
            roots.add(certificate).map_err(|error| unusable(&self.file, &error))?;
        }
        let builder = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
        let builder = if self.is_required { builder } else { builder.allow_unauthenticated() };
        builder.build().map_err(|error| unusable(&self.file, &error))
    }
}

/// The name in a verified certificate: the first URI among its alternative names, otherwise the first DNS name,
/// otherwise the first email address, otherwise the subject's common name; empty if the certificate has none of these.
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
