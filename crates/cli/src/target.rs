//! Connects to a service or a gateway.

use std::path::Path;
use std::sync::Arc;

use error_envelope_runtime::files::{MAX_ANY_FILE_BYTES, read_regular};
use error_envelope_runtime::system_roots;
use http::Uri;
use http::uri::{Authority, Scheme};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore, crypto};

use crate::failure::CommandError;

/// The address of a service or gateway, with a TLS configuration if the scheme is `https`.
pub(crate) struct Target {
    pub(crate) authority: Authority,
    tls: Option<(TlsConnector, ServerName<'static>)>,
}

/// A connection, with or without TLS.
pub(crate) trait Io: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Io for T {}

impl Target {
    /// Parses a URL. `ca` is the file with the trusted certificates, and `flag` is the name of the flag that sets this
    /// file.
    pub(crate) fn new(url: &str, ca: Option<&Path>, flag: &str) -> Result<Self, CommandError> {
        // The error does not repeat the URL, because the part before an `@` is a secret, and a query may contain a key.
        let wrong = |what: &str| CommandError::Io(format!("the URL {what}; write one such as https://api.example.com"));
        let uri: Uri = url.parse().map_err(|_| wrong("is not valid"))?;
        let (Some(scheme), Some(authority)) = (uri.scheme(), uri.authority().cloned()) else {
            return Err(wrong("has no scheme"));
        };
        if url.contains('@') || uri.path_and_query().is_some_and(|path| path != "/") {
            return Err(wrong("has credentials, a path or a query"));
        }
        let has_port = authority.as_str() != authority.host();
        let is_https = *scheme == Scheme::HTTPS;
        if has_port && authority.port_u16().is_none() || !is_https && *scheme != Scheme::HTTP {
            return Err(wrong("has a scheme other than http and https, or an invalid port"));
        }
        let tls = match ca {
            Some(_) if !is_https => return Err(wrong(&format!("must begin with https for {flag}"))),
            _ if !is_https => None,
            ca => {
                let name = ServerName::try_from(host_of(&authority).to_owned());
                Some((connector(ca, flag)?, name.map_err(|_| wrong("has no valid name for a certificate"))?))
            }
        };
        Ok(Self { authority, tls })
    }

    /// Returns the scheme and the authority.
    pub(crate) fn url(&self) -> String {
        format!("{}://{}", if self.tls.is_some() { "https" } else { "http" }, self.authority)
    }

    /// Connects to the address. The error text contains the cause.
    pub(crate) async fn connect(&self) -> Result<Box<dyn Io>, String> {
        let port = self.authority.port_u16().unwrap_or(if self.tls.is_some() { 443 } else { 80 });
        let stream = TcpStream::connect((host_of(&self.authority), port)).await.map_err(|error| error.to_string())?;
        let Some((tls, name)) = &self.tls else { return Ok(Box::new(stream)) };
        let stream = tls.connect(name.clone(), stream).await;
        Ok(Box::new(stream.map_err(|error| format!("TLS: {error}"))?))
    }
}

fn connector(ca: Option<&Path>, flag: &str) -> Result<TlsConnector, CommandError> {
    let provider = Arc::new(crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let config = config.map_err(|error| CommandError::Io(format!("TLS: {error}")))?;
    Ok(TlsConnector::from(Arc::new(config.with_root_certificates(roots(ca, flag)?).with_no_client_auth())))
}

/// Returns the host of an authority, without the brackets of an IPv6 address.
fn host_of(authority: &Authority) -> &str {
    authority.host().trim_matches(['[', ']'])
}

/// Returns the trusted root certificates: only those in the PEM file `file`, or those of the platform if no file is
/// given. `flag` is the name of the flag that sets the file.
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
    let text = read_regular(file, MAX_ANY_FILE_BYTES).map_err(|error| format!("cannot be read: {error}"))?;
    for certificate in CertificateDer::pem_slice_iter(&text) {
        roots.add(certificate.map_err(|error| error.to_string())?).map_err(|error| error.to_string())?;
    }
    if roots.is_empty() { Err("has no certificate".to_owned()) } else { Ok(roots) }
}
