//! The root certificates by which the command verifies a server.

use std::path::Path;

use error_envelope_runtime::system_roots;
use tokio_rustls::rustls::RootCertStore;
use tokio_rustls::rustls::pki_types::CertificateDer;
use tokio_rustls::rustls::pki_types::pem::PemObject;

use crate::failure::CommandError;

/// The trusted root certificates: only those of the PEM file, or the platform's without a file. `flag` is the flag that
/// names the file.
pub(crate) fn roots(file: Option<&Path>, flag: &str) -> Result<RootCertStore, CommandError> {
    match file {
        Some(file) => roots_of_file(file).map_err(|what| {
            CommandError::Io(format!("{}: {what}\n = help: name a PEM file with certificates", file.display()))
        }),
        None => system_roots().map_err(|why| CommandError::Io(format!("{why}; set others with {flag} FILE"))),
    }
}

fn roots_of_file(file: &Path) -> Result<RootCertStore, String> {
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_file_iter(file).map_err(|error| error.to_string())? {
        roots.add(certificate.map_err(|error| error.to_string())?).map_err(|error| error.to_string())?;
    }
    if roots.is_empty() { Err("has no certificate".to_owned()) } else { Ok(roots) }
}
