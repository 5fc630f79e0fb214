//! Reads PEM files.

use std::io::ErrorKind;
use std::path::Path;

use error_envelope_runtime::files::read_regular;
use tokio_rustls::rustls::pki_types::CertificateDer;
use tokio_rustls::rustls::pki_types::pem::PemObject;

use crate::error::Error;

/// The largest file to read: a certificate chain has some KiB.
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

/// The certificates in a file; an error if it has none.
pub(super) fn certificates(path: &Path, text: &[u8]) -> Result<Vec<CertificateDer<'static>>, Error> {
    let chain = CertificateDer::pem_slice_iter(text).collect::<Result<Vec<_>, _>>();
    chain.ok().filter(|chain| !chain.is_empty()).ok_or_else(|| {
        let help = "name a PEM file with certificates; in a chain, the service's own comes first";
        Error::invalid(format!("{}: no certificate can be read", path.display())).with_advice(help)
    })
}
