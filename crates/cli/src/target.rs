//! Connects to a service or a gateway.

use std::path::Path;
use std::sync::Arc;

use error_envelope_admin::Connection;
use error_envelope_core::policy::UpstreamUrl;
use error_envelope_runtime::files::{MAX_ANY_FILE_BYTES, read_regular};
use error_envelope_runtime::{roots_of_pem, system_roots, tls_client};
use http::uri::Scheme;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::RootCertStore;
use tokio_rustls::rustls::pki_types::ServerName;

use crate::failure::CommandError;

/// The address of a service or gateway, with a TLS configuration if the scheme is `https`.
pub(crate) struct Target {
    pub(crate) url: UpstreamUrl,
    tls: Option<(TlsConnector, ServerName<'static>)>,
}

impl Target {
    /// Creates a target. `ca` is the file with the trusted certificates, and `flag` is the name of the flag that sets
    /// this file.
    pub(crate) fn new(url: UpstreamUrl, ca: Option<&Path>, flag: &str) -> Result<Self, CommandError> {
        let wrong = |what: &str| CommandError::Io(format!("the URL {what}; write one such as https://api.example.com"));
        let tls = match (*url.scheme() == Scheme::HTTPS, ca) {
            (false, Some(_)) => return Err(wrong(&format!("must begin with https for {flag}"))),
            (false, None) => None,
            (true, ca) => {
                let config = tls_client(roots(ca, flag)?).map_err(CommandError::Io)?;
                let name = ServerName::try_from(url.host().to_owned());
                let name = name.map_err(|_| wrong("has no valid name for a certificate"))?;
                Some((TlsConnector::from(Arc::new(config)), name))
            }
        };
        Ok(Self { url, tls })
    }

    /// Connects to the address. The error text contains the cause.
    pub(crate) async fn connect(&self) -> Result<Box<dyn Connection>, String> {
        let stream = TcpStream::connect((self.url.host(), self.url.port())).await.map_err(|error| error.to_string())?;
        let Some((tls, name)) = &self.tls else { return Ok(Box::new(stream)) };
        let stream = tls.connect(name.clone(), stream).await;
        Ok(Box::new(stream.map_err(|error| format!("TLS: {error}"))?))
    }
}

/// Returns the trusted root certificates: only those in the PEM file `file`, or those of the platform if no file is
/// given. `flag` is the name of the flag that sets the file.
pub(crate) fn roots(file: Option<&Path>, flag: &str) -> Result<RootCertStore, CommandError> {
    let Some(file) = file else {
        return system_roots().map_err(|why| CommandError::Io(format!("{why}; set others with {flag} FILE")));
    };
    let text = read_regular(file, MAX_ANY_FILE_BYTES).map_err(|error| format!("cannot be read: {error}"));
    text.and_then(|text| roots_of_pem(&text)).map_err(|what| {
        CommandError::Io(format!("{}: {what}\n = help: name a PEM file with certificates", file.display()))
    })
}
