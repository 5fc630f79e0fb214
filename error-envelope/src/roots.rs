//! The certificates by which another side is trusted.

use std::path::Path;

use tokio_rustls::rustls::RootCertStore;
use tokio_rustls::rustls::pki_types::CertificateDer;
use tokio_rustls::rustls::pki_types::pem::PemObject;

use crate::failure::CommandError;

/// Those of a file of PEM certificates, and no other; without a file, the platform's. `flag` is what names another file.
pub(crate) fn roots(file: Option<&Path>, flag: &str) -> Result<RootCertStore, CommandError> {
    let mut roots = RootCertStore::empty();
    let Some(file) = file else {
        let found = rustls_native_certs::load_native_certs();
        roots.add_parsable_certificates(found.certs);
        if roots.is_empty() {
            let why = found.errors.first().map_or_else(|| "none found".to_owned(), ToString::to_string);
            return Err(CommandError::Io(format!(
                "cannot load the platform's certificates: {why}; name others with {flag} FILE"
            )));
        }
        return Ok(roots);
    };
    let told = |what: String| {
        CommandError::Io(format!("{}: {what}\n = help: name a file of PEM certificates", file.display()))
    };
    for certificate in CertificateDer::pem_file_iter(file).map_err(|error| told(error.to_string()))? {
        let certificate = certificate.map_err(|error| told(error.to_string()))?;
        roots.add(certificate).map_err(|error| told(error.to_string()))?;
    }
    if roots.is_empty() {
        return Err(told("has no certificate".to_owned()));
    }
    Ok(roots)
}
